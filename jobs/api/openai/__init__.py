"""The API that OpenAI's clients speak, under /v1: chats, completions, embeddings, labels."""

from jobs.api.openai import chat, completions, models, vectors
from jobs.api.openai.interface import openai_api

__all__ = ["chat", "completions", "models", "openai_api", "vectors"]
