"""What written answers have in common: why they ended, what they took, log probabilities."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from jobs.api.openai.errors import Json
from jobs.inference_queue.requests import Outcome
from maxaillm.model.logprobs import TokenLogprob, TopLogprob


def finish_word(outcome: Outcome) -> str:
    if outcome.usage.finish_reason in {"length", "time"}:
        return "length"
    return "tool_calls" if outcome.tool_calls else "stop"


def usage_of(outcomes: Sequence[Outcome], choices: int) -> Json:
    """All together; a prompt counts once, however many answers it gets."""
    prompts = sum(outcome.usage.prompt_tokens for outcome in outcomes[::choices])
    completions = sum(outcome.usage.completion_tokens for outcome in outcomes)
    return {
        "prompt_tokens": prompts,
        "completion_tokens": completions,
        "total_tokens": prompts + completions,
    }


def name_of(token: TopLogprob) -> str:
    """A token's text, or its bytes where these are no whole character, as OpenAI writes both."""
    try:
        return bytes(token.bytes).decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token.bytes)


def chat_logprobs(tokens: Sequence[TokenLogprob]) -> Json:
    content: list[JsonValue] = [
        entry_of(token) | {"top_logprobs": [entry_of(top) for top in token.top]} for token in tokens
    ]
    return {"content": content, "refusal": None}


def entry_of(token: TopLogprob) -> Json:
    return {"token": token.token, "logprob": token.logprob, "bytes": list(token.bytes)}


def text_logprobs(tokens: Sequence[TokenLogprob], offset: int = 0) -> Json:
    """As in completions: lists of equal length; `offset`: where in the text they begin."""
    names = [name_of(token) for token in tokens]
    offsets: list[JsonValue] = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.token)
    tops: list[JsonValue] = [None if t.logprob is None else top_of(t) for t in tokens]
    return {
        "tokens": list(names),
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": tops,
        "text_offset": offsets,
    }


def top_of(token: TokenLogprob) -> Json:
    """The likeliest, and the token itself. Of two that read the same the likelier one counts."""
    found: Json = {}
    for top in (*token.top, token):
        found.setdefault(name_of(top), top.logprob)
    return found
