"""What a worker says of answers while it makes them, for all of them at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import redis
from pydantic import TypeAdapter

from jobs.inference_queue import requests
from jobs.inference_queue.fair_queue import Client
from jobs.inference_queue.requests import PieceKind
from maxaillm.dev.finetune.data.rows.tool_calls import ToolCall
from maxaillm.model.logprobs import TokenLogprob

if TYPE_CHECKING:
    from maxaillm.dev.finetune.hf.generation.answer_parts import Part

FLUSH_SECONDS = 0.03
MAX_PIECES = 8192
LOGPROBS = TypeAdapter(Sequence[TokenLogprob])
logger = logging.getLogger(__name__)


class Feed:
    """One answer's text on its way to its reader.

    Pieces are numbered, so that one which is sent again after a lost connection counts once.
    While Redis is away they wait here.
    """

    def __init__(self, request_id: UUID) -> None:
        self.id = request_id
        self.kind: PieceKind = "text"
        self.text, self.number = "", 0
        self.unconfirmed: list[tuple[int, str, str]] = []
        self.cancelled = self.has_begun = False

    def say_loading(self) -> None:
        self.enter("loading", "1")

    def add(self, kind: PieceKind, text: str) -> None:
        """What is of one kind goes together, but for calls: each by itself."""
        if self.text and (kind == "call" or kind != self.kind):
            self.close_piece()
        self.kind = kind
        self.text += text

    def add_logprobs(self, logprobs: Sequence[TokenLogprob]) -> None:
        """Those of the tokens behind what was added before."""
        self.close_piece()
        self.enter("logprobs", LOGPROBS.dump_json(logprobs).decode())

    def close_piece(self) -> None:
        text, self.text = self.text, ""
        if text:
            self.enter(self.kind, text)

    def enter(self, kind: str, data: str) -> None:
        self.number += 1
        self.unconfirmed.append((self.number, kind, data))


class Feeds:
    """Sends the text of all answers together, and hears which are still wanted."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.flushed = 0.0

    def is_due(self, feeds: Sequence[Feed]) -> bool:
        """Thirty times a second, but what is said first of an answer goes at once."""
        begins = any(feed.text or feed.unconfirmed for feed in feeds if not feed.has_begun)
        return begins or time.monotonic() - self.flushed >= FLUSH_SECONDS

    def flush(self, feeds: Sequence[Feed]) -> None:
        """One round trip, whatever the number of answers."""
        self.flushed = time.monotonic()
        pipe = self.client.pipeline(transaction=False)
        for feed in feeds:
            feed.close_piece()
            key = requests.pieces_key(feed.id)
            for number, name, value in feed.unconfirmed:
                pipe.xadd(key, {name: value}, id=f"{number}-0", maxlen=MAX_PIECES, approximate=True)
            if feed.unconfirmed:
                pipe.expire(key, requests.KEEP_SECONDS)
        pipe.exists(*(requests.cancel_key(feed.id) for feed in feeds))
        try:
            # A piece that had arrived is refused the second time: its number is taken.
            wanted_not = pipe.execute(raise_on_error=False)[-1]
        except redis.ConnectionError:
            logger.warning("Redis is away; the pieces of %d answers wait", len(feeds))
            return
        for feed in feeds:
            feed.has_begun |= bool(feed.unconfirmed)
            feed.unconfirmed.clear()
        if wanted_not:
            self.hear_who_left(feeds)

    def hear_who_left(self, feeds: Sequence[Feed]) -> None:
        found = self.client.mget([requests.cancel_key(feed.id) for feed in feeds])
        for feed, sign in zip(feeds, found, strict=True):
            feed.cancelled = sign is not None


class Said:
    """What of an answer was made so far."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.calls: list[ToolCall] = []

    def add(self, part: Part) -> str:
        """The part as it goes to the reader."""
        if part.call is not None:
            self.calls.append(part.call)
            return part.call.model_dump_json()
        (self.text if part.kind == "text" else self.reasoning).append(part.text)
        return part.text
