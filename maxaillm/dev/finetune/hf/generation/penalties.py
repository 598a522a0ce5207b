"""Frequency and presence penalties: scores lowered by how often the answer has a token already.

Source: OpenAI's API reference: logit - count * frequency_penalty - (count > 0) * presence_penalty.
"""

from __future__ import annotations

import torch
from torch import LongTensor, Tensor
from transformers import LogitsProcessor


class OccurrencePenalties(LogitsProcessor):  # type: ignore[misc]
    """For one call of `generate`: what lies before its first token is the prompt."""

    def __init__(self, frequency: float, presence: float) -> None:
        self.frequency, self.presence = frequency, presence
        self.prompt_length: int | None = None

    def __call__(self, input_ids: LongTensor, scores: Tensor) -> Tensor:
        if self.prompt_length is None:
            self.prompt_length = input_ids.shape[1]
        made = input_ids[:, self.prompt_length :]
        counts = torch.zeros_like(scores).scatter_add_(
            1, made, torch.ones_like(made, dtype=scores.dtype)
        )
        return scores - self.frequency * counts - self.presence * (counts > 0)
