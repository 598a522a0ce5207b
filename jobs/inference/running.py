"""A request that a worker is at: what it heard of it, what it said, and how it ends."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import TYPE_CHECKING
from uuid import UUID

from jobs.inference.feed import Feed, Said
from jobs.inference.preparing import Prepared
from jobs.inference_queue.requests import FinishReason, Outcome, Request, Usage
from maxaillm.dev.finetune.errors import FineTuneError

if TYPE_CHECKING:
    from maxaillm.model.batching.contract import Answer

ANSWER_SECONDS = 180
"""An answer that takes longer is cut here."""


class Running:
    """One request from its taking to its end."""

    def __init__(self, request: Request, preparation: Future[Prepared | Outcome] | None) -> None:
        self.request, self.preparation = request, preparation
        self.feed, self.said = Feed(request.id), Said()
        self.prepared: Prepared | None = None
        self.outcome: Outcome | None = None
        self.started = self.first = 0.0
        self.told = 0
        """Log probabilities that its reader has."""
        self.reason: FinishReason = "cancelled"

    @property
    def id(self) -> UUID:
        return self.request.id

    def begin(self, prepared: Prepared) -> None:
        """The time counts from here: loading a model is not the answer's fault."""
        self.prepared, self.started = prepared, time.monotonic()
        prepared.join()

    def fail(self, error: FineTuneError) -> None:
        self.outcome = Outcome.failed(error, "".join(self.said.text))

    @property
    def must_end(self) -> bool:
        """Whether its reader has left, or its time is over; `reason` says which."""
        is_late = bool(self.started) and time.monotonic() - self.started > ANSWER_SECONDS
        self.reason = "time" if is_late and not self.feed.cancelled else "cancelled"
        return is_late or self.feed.cancelled

    def listen(self) -> None:
        """Pass on what came; note how it ended, if it has."""
        assert self.prepared
        answer = self.prepared.answer
        for part in answer.taken():
            self.first = self.first or time.monotonic()
            self.feed.add(part.kind, self.said.add(part))
        if len(answer.logprobs) > self.told and (self.feed.text or answer.finish):
            self.feed.add_logprobs(answer.logprobs[self.told :])
            self.told = len(answer.logprobs)
        if answer.error is not None:
            self.fail(answer.error)
        elif answer.finish is not None:
            self.outcome = self.ended(answer)

    def ended(self, answer: Answer) -> Outcome:
        assert self.prepared and answer.finish
        reason = self.reason if answer.finish == "cancelled" else answer.finish
        usage = Usage(
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            dropped_messages=self.prepared.dropped_messages,
            finish_reason=reason,
            first_token_seconds=round(self.first - self.started, 3) if self.first else None,
            tokens_per_second=rate(answer.completion_tokens, self.first),
        )
        return Outcome(
            status="stopped" if reason == "cancelled" else "done",
            text="".join(self.said.text),
            reasoning="".join(self.said.reasoning),
            tool_calls=self.said.calls,
            usage=usage,
            logprobs=answer.logprobs if self.request.options.logprobs is not None else None,
            prompt_logprobs=answer.prompt_logprobs if self.request.echo else None,
            judgement=answer.judgement,
        )


def rate(tokens: int, first: float | None) -> float | None:
    """Tokens a second behind the first one; the wait for that is shown by itself."""
    seconds = time.monotonic() - first if first else 0
    return round((tokens - 1) / seconds, 1) if tokens > 1 and seconds > 0 else None
