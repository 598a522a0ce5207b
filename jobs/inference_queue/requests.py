"""Asking for an answer and following it: the Redis keys between site and inference worker.

A request waits as an id in the fair queue; what it asks for lies beside it and expires. Its text
comes back as a stream with numbered pieces, so that a reader who lost the connection goes on where
it stopped. The last piece is the Outcome.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import cast
from uuid import UUID

import redis
import redis.asyncio
from redis.client import Pipeline

from jobs.inference_queue import fair_queue
from jobs.inference_queue.fair_queue import WAITING, Client
from jobs.inference_queue.protocol import (
    FinishReason,
    Outcome,
    Piece,
    PieceKind,
    Request,
    Usage,
)
from jobs.inference_queue.redis import async_connection, connection
from maxaillm.dev.finetune.errors import FineTuneError

__all__ = ["FinishReason", "Outcome", "Piece", "PieceKind", "Request", "Usage"]

OWNERS = "infer:owners"
"""Hash id -> user of every generation that waits or runs."""
WORKERS = "infer:workers"
"""Sorted set: worker's name by the time of its last heartbeat."""
KEEP_SECONDS = 600
WAIT_SECONDS = 24 * 3600
"""What is asked for is forgotten after a day, which is longer than any queue within the limits."""
WAITING_LIMIT = 1000
"""Generations that wait or run, of everybody."""
USER_LIMIT = 64
"""The same of one user: programs send dozens of requests at once."""
HEARTBEAT_SECONDS = 5
SILENT_SECONDS = 20
"""A worker without a heartbeat for so long is taken for dead."""


WITHDRAWN = Outcome(status="stopped", usage=Usage(finish_reason="cancelled"))
"""How a generation ends that was stopped before it began."""


class BusyError(FineTuneError):
    """Earlier questions, the user's or those of others, must be answered first."""

    code = "busy"
    status = 429


class QueueAwayError(FineTuneError):
    """Nobody can be asked now."""

    code = "queue_away"
    status = 503


def request_key(generation: UUID | str) -> str:
    return f"infer:{generation}:request"


def pieces_key(generation: UUID | str) -> str:
    return f"infer:{generation}:pieces"


def cancel_key(generation: UUID | str) -> str:
    return f"infer:{generation}:cancel"


def running_key(worker: str) -> str:
    """List with the id that a worker is at."""
    return f"infer:running:{worker}"


def submit(requests: Sequence[Request], *, user_id: int, source: str = "chat") -> None:
    """Queue what belongs to one question. Raises BusyError; then nothing is queued.

    A user's chats and API calls (`source`) take turns with each other as with other users'.
    """
    lane = f"{user_id}:{source}"

    def enter(pipe: Pipeline) -> None:
        require_room([int(owner) for owner in pipe.hvals(OWNERS)], user_id, len(requests))
        last = fair_queue.last_start(pipe, lane)
        pipe.multi()
        for request in requests:
            pipe.set(request_key(request.id), request.model_dump_json(), ex=WAIT_SECONDS)
            pipe.hset(OWNERS, str(request.id), str(user_id))
        fair_queue.add(pipe, [str(request.id) for request in requests], lane, last)

    try:
        with connection() as client:
            client.transaction(enter, OWNERS)
    except redis.ConnectionError as error:
        raise QueueAwayError(
            "The queue of the inference worker can't be reached.", "Try again in a minute."
        ) from error


def require_room(owners: Sequence[int], user_id: int, new: int) -> None:
    """Raises BusyError where the queue, or the user's part of it, is full."""
    for count, limit, whose in (
        (owners.count(user_id), USER_LIMIT, "of your questions"),
        (len(owners), WAITING_LIMIT, "questions"),
    ):
        if count + new > limit:
            raise BusyError(
                f"{count} {whose} are waiting already; the limit is {limit}.",
                "Try again when some of them have been answered.",
            )


def cancel(generation: UUID) -> bool:
    """Stop a generation. True where it had not begun: then nobody else will end it."""
    with connection() as client:
        pipe = client.pipeline()
        pipe.zrem(WAITING, str(generation))
        pipe.set(cancel_key(generation), 1, ex=KEEP_SECONDS)
        withdrawn = bool(pipe.execute()[0])
        if withdrawn:
            publish_end(client, generation, WITHDRAWN)
    return withdrawn


def publish_end(client: Client, generation: UUID, outcome: Outcome) -> None:
    """The last piece of an answer; its owner may ask again."""
    pipe = client.pipeline()
    pipe.xadd(pieces_key(generation), {"end": outcome.model_dump_json()})
    pipe.expire(pieces_key(generation), KEEP_SECONDS)
    pipe.hdel(OWNERS, str(generation))
    pipe.delete(request_key(generation))
    pipe.execute()


def forget(generation: UUID) -> None:
    """Free the owner of a generation that nobody will end."""
    with connection() as client:
        client.hdel(OWNERS, str(generation))


def known(generations: Iterable[UUID]) -> set[UUID]:
    """Those of `generations` that wait or run."""
    with connection() as client:
        owners = client.hkeys(OWNERS)
    return {generation for generation in generations if str(generation).encode() in owners}


def said_so_far(client: Client, generation: UUID) -> str:
    """The text of an unfinished answer, from its stream."""
    entries = client.xrange(pieces_key(generation))
    return "".join(fields[b"text"].decode() for _, fields in entries if b"text" in fields)


def forget_lost(client: Client) -> None:
    """Free the owners of generations that neither wait nor run any more."""
    # In this order, so that one which moves on meanwhile is seen in one place or the other.
    owned = set(client.hkeys(OWNERS))
    alive = set(fair_queue.waiting(client))
    for worker in client.zrange(WORKERS, 0, -1):
        alive.update(client.lrange(running_key(worker.decode()), 0, -1))
    if lost := owned - alive:
        client.hdel(OWNERS, *lost)


def is_lost(generation: UUID) -> bool:
    """Whether nobody will ever end this generation, as far as one can see."""
    with connection() as client:
        alive = client.zcount(WORKERS, time.time() - SILENT_SECONDS, "+inf")
        return not alive or not client.hexists(OWNERS, str(generation))


async def follow(generation: UUID, after: str = "0") -> AsyncGenerator[Piece, None]:
    """The pieces behind `after` as they come, up to `end` or `lost`. Safe to leave at any time."""
    client: Client = async_connection()
    last_sign = time.monotonic()
    try:
        while True:
            pieces = await next_pieces(client, generation, after)
            for piece in pieces:
                if piece.kind != "lost":
                    last_sign = time.monotonic()
                elif time.monotonic() - last_sign < SILENT_SECONDS:
                    continue
                after = piece.id or after
                yield piece
                if piece.kind in {"end", "lost"}:
                    return
    finally:
        await client.aclose()


async def next_pieces(client: Client, generation: UUID, after: str) -> list[Piece]:
    """What came behind `after`; where nothing did for a second, why."""
    try:
        found = await client.xread({pieces_key(generation): after}, block=1000)
        if not found:
            return [await explain_quiet(client, generation)]
    except redis.ConnectionError:
        await asyncio.sleep(0.5)
        return [Piece("", "lost", "Redis can't be reached.")]
    return [read_piece(entry_id, fields) for _, entries in found for entry_id, fields in entries]


def read_piece(entry_id: bytes, fields: dict[bytes, bytes]) -> Piece:
    [(kind, data)] = fields.items()
    return Piece(entry_id.decode(), cast("PieceKind", kind.decode()), data.decode())


async def explain_quiet(client: Client, generation: UUID) -> Piece:
    """Why no piece came: it waits, is being made, nobody works, or nobody knows it."""
    pipe = client.pipeline()
    pipe.hexists(OWNERS, str(generation))
    pipe.zrank(WAITING, str(generation))
    pipe.zcount(WORKERS, time.time() - SILENT_SECONDS, "+inf")
    owned, ahead, workers = await pipe.execute()
    if not owned:
        return Piece("", "lost", "The answer was lost.")
    if not workers:
        return Piece("", "lost", "No inference worker is running.")
    return Piece("", "quiet") if ahead is None else Piece("", "waiting", str(ahead))
