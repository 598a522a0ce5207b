"""A request to a deployment, from its limits to its place in the counts and the log."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from asgiref.sync import sync_to_async

from jobs.api.openai.callers import Target
from jobs.inference_queue.requests import Outcome
from jobs.services.deployments import limits, usage
from maxaillm.dev.finetune.errors import FineTuneError


class Visit:
    """What a request takes, while it is answered."""

    def __init__(self, target: Target, call: str) -> None:
        self.target, self.call, self.id = target, call, uuid4()
        self.started = time.monotonic()
        self.first: float | None = None
        self.prompt_tokens = self.completion_tokens = 0
        self.outcome, self.failed = "left", False

    @property
    def is_counted(self) -> bool:
        return self.target.deployment is not None

    def note_first(self) -> None:
        self.first = self.first or time.monotonic()

    def add(self, outcome: Outcome) -> Outcome:
        self.prompt_tokens += outcome.usage.prompt_tokens
        self.completion_tokens += outcome.usage.completion_tokens
        self.outcome = outcome.usage.finish_reason
        return outcome

    def fail(self, code: str) -> None:
        self.outcome, self.failed = code[:40], True

    def close(self) -> None:
        """Free its place and write it down."""
        deployment = self.target.deployment
        assert deployment is not None
        limits.leave(deployment, self.id, self.prompt_tokens + self.completion_tokens)
        first = None if self.first is None else round((self.first - self.started) * 1000)
        usage.record(
            usage.Visit(
                deployment=deployment,
                key=self.target.caller.key,
                model=self.target.model,
                call=self.call,
                outcome=self.outcome,
                failed=self.failed,
                prompt_tokens=self.prompt_tokens,
                completion_tokens=self.completion_tokens,
                first_token_ms=first,
                whole_ms=round((time.monotonic() - self.started) * 1000),
            )
        )


@asynccontextmanager
async def counted(target: Target, call: str) -> AsyncIterator[Visit]:
    """Let a request in and count it; what goes to no deployment only passes.

    Raises OverLimitError.
    """
    visit = Visit(target, call)
    if target.deployment is None:
        yield visit
        return
    key = target.caller.key.pk if target.caller.key else None
    await sync_to_async(limits.admit)(target.deployment, visit.id, key)
    try:
        yield visit
    except FineTuneError as error:
        visit.fail(error.code)
        raise
    finally:
        await sync_to_async(visit.close)()
