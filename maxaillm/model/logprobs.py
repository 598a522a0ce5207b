"""Log probabilities of tokens, as OpenAI's API has them."""

from __future__ import annotations

from pydantic import BaseModel


class TopLogprob(BaseModel):
    """A token that might stand at a place. `logprob`: the natural logarithm of its probability by
    the model itself, before penalties, bias and sampling; None where nothing stands before it."""

    token: str
    """Its text; bytes that are no whole character are shown as a replacement character."""
    id: int
    bytes: list[int]
    """Its text as UTF-8, or the part of a character that it is."""
    logprob: float | None


class TokenLogprob(TopLogprob):
    """A token that stands at a place, and the likeliest ones there, the likeliest first. Its own
    logprob equals the first one's exactly where it was the likeliest."""

    top: list[TopLogprob] = []
