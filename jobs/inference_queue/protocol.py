"""What site and inference worker say to each other: requests, pieces of answers, outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue, model_validator

from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.data.rows.tool_calls import ToolCall
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.model.logprobs import TokenLogprob
from maxaillm.model.sampling import SamplingOptions

MOST_TEXTS = 2048
"""As in OpenAI's embeddings."""
TokenIds = list[Annotated[int, Field(ge=0, le=2**31 - 1)]]


class Request(BaseModel):
    """What to answer, and from what: `messages` through the model's chat template, `prompt` as it
    stands, or each of `texts` by itself. The model is a row; its folder is never part of a request.
    """

    id: UUID
    model: int
    want: Literal["answer", "embedding", "judgement"] = "answer"
    """answer: of a model that writes, or judges the last message · embedding: a vector of each of
    `texts`, of an encoder · judgement: what a model that judges says of each of `texts`."""
    messages: Sequence[Message] = ()
    prompt: str | TokenIds | None = None
    """A text, or its tokens, that the model goes on with."""
    echo: bool = False
    """Whether the log probabilities of the prompt itself are wanted too; `options.logprobs` says
    how many of each token. `options.max_new_tokens` may be 0."""
    texts: list[str | TokenIds] = Field([], max_length=MOST_TEXTS)
    tools: str | None = None
    """What the model may call, as the JSON of a list."""
    options: SamplingOptions = SamplingOptions()
    is_split: bool = False
    """Whether thoughts and calls of tools come apart from the text, as programs want them."""
    may_cut: bool = True
    """Whether a chat that is too long for the model may lose its oldest turns."""

    @model_validator(mode="after")
    def require_one_source(self) -> Self:
        if self.want != "answer":
            if not self.texts or self.messages or self.prompt is not None:
                raise ValueError(f"A request for an {self.want} has texts, and nothing else.")
        elif self.texts or bool(self.messages) == (self.prompt is not None):
            raise ValueError("A request for an answer has messages or a prompt.")
        if self.echo and self.prompt is None:
            raise ValueError("Only a prompt is echoed, no messages.")
        return self


FinishReason = Literal["stop", "length", "time", "cancelled", "error"]


class Usage(BaseModel):
    """What an answer cost."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token_seconds: float | None = None
    tokens_per_second: float | None = None
    finish_reason: FinishReason = "stop"
    dropped_messages: int = 0
    """Messages at the start of the chat that no longer fit into the model's context."""


class Outcome(BaseModel):
    """How a generation ended, with all of its text."""

    status: Literal["done", "stopped", "failed"]
    text: str = ""
    reasoning: str = ""
    """What the model thought before, where it was asked to come apart from the text."""
    tool_calls: list[ToolCall] = []
    usage: Usage = Usage()
    logprobs: list[TokenLogprob] | None = None
    """Of each token of the answer, thoughts and calls included, where they were asked for."""
    prompt_logprobs: list[TokenLogprob] | None = None
    """Of each token of an echoed prompt; the first one's is None."""
    embedding: list[list[float]] | None = None
    """Of each text a vector of length 1: the mean of its tokens' last hidden states."""
    judgements: list[dict[str, JsonValue]] | None = None
    """Of each text what a model says that judges texts, as `judgement`."""
    judgement: dict[str, JsonValue] | None = None
    """What a model says that judges texts: labels, a score, words or gaps."""
    error: dict[str, JsonValue] | None = None

    @classmethod
    def failed(cls, error: FineTuneError, text: str = "") -> Self:
        usage = Usage(finish_reason="error")
        return cls(status="failed", text=text, usage=usage, error=error.as_json())


PieceKind = Literal[
    "waiting", "loading", "quiet", "text", "reasoning", "call", "logprobs", "end", "lost"
]


class Piece(NamedTuple):
    """One step of an answer on its way."""

    id: str
    kind: PieceKind
    data: str = ""
    """text, reasoning: what comes next · call: a ToolCall as JSON · logprobs: a list of
    TokenLogprob as JSON, of the tokens that made what came since the last one · waiting: how many
    are ahead · end: the Outcome as JSON · lost: why nobody will ever end it · quiet: nothing for a
    second."""
