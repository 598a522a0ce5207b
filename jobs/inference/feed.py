"""What a worker says of an answer while it makes it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING
from uuid import UUID

import redis

from jobs.inference_queue import requests
from jobs.inference_queue.fair_queue import Client
from jobs.inference_queue.requests import PieceKind
from maxaillm.dev.finetune.data.rows.tool_calls import ToolCall

if TYPE_CHECKING:
    from maxaillm.dev.finetune.hf.generation.answer_parts import Part

FLUSH_SECONDS = 0.03
MAX_PIECES = 8192
logger = logging.getLogger(__name__)


class Feed:
    """Sends one answer's text and hears whether it is still wanted.

    Pieces are numbered, so that one which is sent again after a lost connection counts once.
    While Redis is away they wait here.
    """

    def __init__(self, client: Client, request_id: UUID) -> None:
        self.client, self.id = client, request_id
        self.kind: PieceKind = "text"
        self.text, self.number, self.flushed = "", 0, 0.0
        self.unconfirmed: list[tuple[int, str, str]] = []
        self.cancelled = False

    def say_loading(self) -> None:
        self.flush("loading", "1")

    def is_cancelled(self) -> bool:
        """Asked at each token; sends what has come together, thirty times a second at most."""
        if time.monotonic() - self.flushed >= FLUSH_SECONDS:
            self.send_text()
        return self.cancelled

    def add(self, kind: PieceKind, text: str) -> None:
        """What is of one kind goes together, but for calls: each by itself."""
        if self.text and (kind == "call" or kind != self.kind):
            self.send_text()
        self.kind = kind
        self.text += text

    def send_text(self) -> None:
        text, self.text = self.text, ""
        self.flush(self.kind, text)

    def flush(self, kind: str, data: str) -> None:
        self.flushed = time.monotonic()
        if data:
            self.number += 1
            self.unconfirmed.append((self.number, kind, data))
        key = requests.pieces_key(self.id)
        pipe = self.client.pipeline(transaction=False)
        for number, name, value in self.unconfirmed:
            pipe.xadd(key, {name: value}, id=f"{number}-0", maxlen=MAX_PIECES, approximate=True)
        pipe.expire(key, requests.KEEP_SECONDS)
        pipe.exists(requests.cancel_key(self.id))
        try:
            # A piece that had arrived is refused the second time: its number is taken.
            self.cancelled = bool(pipe.execute(raise_on_error=False)[-1])
        except redis.ConnectionError:
            logger.warning("Redis is away; %d pieces wait", len(self.unconfirmed))
        else:
            self.unconfirmed.clear()


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
