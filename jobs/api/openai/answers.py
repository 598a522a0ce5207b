"""Answers on their way from the worker, several at once, whole or piece by piece."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Protocol
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase, JsonResponse, StreamingHttpResponse

from jobs.api.openai.callers import Target
from jobs.api.openai.errors import AnswerFailedError, Json, body_of
from jobs.api.openai.visits import Visit, counted
from jobs.inference_queue import requests
from jobs.inference_queue.requests import Outcome, Piece, Request

LAST_SECONDS = 3
"""How long the end of an answer is waited for that its reader left, to know what it took."""
SPOKEN = {"text", "reasoning", "call", "logprobs"}
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Reply(Protocol):
    """How a kind of call writes its answers, of which each has an index."""

    def whole(self, outcomes: Sequence[Outcome]) -> Json:
        """The body of an answer that is not streamed."""

    def opening(self) -> Iterator[Json]:
        """What is sent before the first piece."""

    def added(self, index: int, piece: Piece) -> Iterator[Json]:
        """What a piece adds."""

    def ended(self, index: int, outcome: Outcome) -> Iterator[Json]:
        """What is sent last of one answer."""

    def usage_chunk(self, outcomes: Sequence[Outcome]) -> Json:
        """What all of it took."""


class Following:
    """The pieces of several answers as they come, until each has ended."""

    def __init__(self, ids: Sequence[UUID]) -> None:
        self.ids = ids
        self.ended: set[int] = set()
        self.queue: asyncio.Queue[tuple[int, Piece | None]] = asyncio.Queue()
        self.tasks = [asyncio.create_task(self.pump(number)) for number in range(len(ids))]

    async def pump(self, number: int) -> None:
        """None says that no more comes, whatever the reason."""
        try:
            async with aclosing(requests.follow(self.ids[number])) as pieces:
                async for piece in pieces:
                    self.queue.put_nowait((number, piece))
        finally:
            self.queue.put_nowait((number, None))

    async def pieces(self) -> AsyncGenerator[tuple[int, Piece], None]:
        for _ in self.tasks:
            while True:
                number, piece = await self.queue.get()
                if piece is None:
                    await self.tasks[number]  # raises what it raised
                    break
                if piece.kind == "end":
                    self.ended.add(number)
                yield number, piece

    async def close(self, visit: Visit) -> None:
        """Stop what has not ended, as when the client hangs up, and learn what it took."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        left = [self.ids[n] for n in range(len(self.ids)) if n not in self.ended]
        for answer_id in left:
            await sync_to_async(requests.cancel)(answer_id)
        if visit.is_counted:
            for answer_id in left:
                await learn_end(answer_id, visit)


async def learn_end(answer_id: UUID, visit: Visit) -> None:
    """Count what an answer took that was stopped."""
    try:
        async with asyncio.timeout(LAST_SECONDS), aclosing(requests.follow(answer_id)) as pieces:
            async for piece in pieces:
                if piece.kind == "end":
                    visit.add(Outcome.model_validate_json(piece.data))
    except TimeoutError:
        return


@asynccontextmanager
async def following(
    asked: Sequence[Request], target: Target, visit: Visit
) -> AsyncIterator[AsyncGenerator[tuple[int, Piece], None]]:
    """Ask, and listen; leaving before the end stops what has not ended."""
    user = target.caller.user
    await sync_to_async(requests.submit)(asked, user_id=user.pk, source=target.lane)
    found = Following([request.id for request in asked])
    try:
        async with aclosing(found.pieces()) as pieces:
            yield pieces
    finally:
        await found.close(visit)


def outcome_of(piece: Piece) -> Outcome:
    """How it ended. Raises AnswerFailedError with the worker's sentence."""
    if piece.kind == "lost":
        raise AnswerFailedError(piece.data, "Ask again.")
    outcome = Outcome.model_validate_json(piece.data)
    if outcome.error is not None:
        said = outcome.error
        raise AnswerFailedError(str(said["message"]), str(said["hint"]), str(said["code"]))
    return outcome


async def outcomes_of(asked: Sequence[Request], target: Target, visit: Visit) -> list[Outcome]:
    """Each answer, whole. Raises AnswerFailedError where one fails."""
    found: dict[int, Outcome] = {}
    async with following(asked, target, visit) as pieces:
        async for number, piece in pieces:
            if piece.kind in SPOKEN:
                visit.note_first()
            elif piece.kind in {"end", "lost"}:
                found[number] = visit.add(outcome_of(piece))
    if len(found) < len(asked):
        raise AnswerFailedError("The answer was lost.", "Ask again.")
    return [found[number] for number in range(len(asked))]


async def respond(
    asked: Sequence[Request], target: Target, call: str, reply: Reply, streams: tuple[bool, bool]
) -> HttpResponseBase:
    """The answer of a call; `streams`: whether it comes in chunks, whether usage is one of them."""
    is_streamed, wants_usage = streams
    async with AsyncExitStack() as stack:
        visit = await stack.enter_async_context(counted(target, call))
        if not is_streamed:
            return JsonResponse(reply.whole(await outcomes_of(asked, target, visit)))
        pieces = await stack.enter_async_context(following(asked, target, visit))
        chunks = events(pieces, reply, visit, wants_usage=wants_usage)
        body = closing_after(stack.pop_all(), chunks)
    return StreamingHttpResponse(body, content_type="text/event-stream", headers=HEADERS)


async def closing_after(
    stack: AsyncExitStack, chunks: AsyncGenerator[str, None]
) -> AsyncGenerator[str, None]:
    async with stack, aclosing(chunks):
        async for chunk in chunks:
            yield chunk


async def events(
    pieces: AsyncIterator[tuple[int, Piece]], reply: Reply, visit: Visit, *, wants_usage: bool
) -> AsyncGenerator[str, None]:
    """Server-sent events; a failure is the last one."""
    found: dict[int, Outcome] = {}
    for body in reply.opening():
        yield sse(body)
    async for number, piece in pieces:
        if piece.kind in SPOKEN:
            visit.note_first()
            bodies = reply.added(number, piece)
        elif piece.kind in {"end", "lost"}:
            try:
                found[number] = visit.add(outcome_of(piece))
            except AnswerFailedError as error:
                visit.fail(error.code)
                yield sse(body_of(error))
                return
            bodies = reply.ended(number, found[number])
        else:
            yield ": nothing yet\n\n"
            continue
        for body in bodies:
            yield sse(body)
    if wants_usage:
        yield sse(reply.usage_chunk([found[number] for number in sorted(found)]))
    yield "data: [DONE]\n\n"


def sse(body: Json) -> str:
    return f"data: {json.dumps(body)}\n\n"
