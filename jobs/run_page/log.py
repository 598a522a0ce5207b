"""Log tail: the end of a run's log as plain text, read in bounded memory."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import ValidationError

from jobs.models import Run
from maxaillm.dev.finetune.processes.plain_files import open_plain
from maxaillm.dev.finetune.run.events.journal import Event

TAIL_BYTES = 256 * 1024
TAIL_LINES = 400
LINE_LENGTH = 2000
CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]"
)
"""Terminal colours, other control characters, and marks that turn the reading direction."""


class LogTail(NamedTuple):
    lines: list[str]
    size_bytes: int
    is_whole: bool
    """Whether nothing stands before the lines that were searched."""
    words: str = ""

    @property
    def nothing(self) -> str:
        """What is said where no line is there."""
        if not self.words:
            return "Nothing is written yet."
        where = "" if self.is_whole else " near the end of the log; download it to search all of it"
        return f"No line holds “{self.words}”{where}."


def tail_of(run: Run, words: str = "") -> LogTail:
    """The newest lines of the newest attempt's log that hold `words`, literally."""
    path = run.attempt_folder(run.attempt).log
    try:
        file = open_plain(path)
    except FileNotFoundError:
        return LogTail([], 0, is_whole=True, words=words)
    with file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        text = file.read(TAIL_BYTES).decode(errors="replace")
    lines = [clean(line) for line in text.split("\n")]
    if size > TAIL_BYTES:
        lines = lines[1:]
    found = [line for line in lines if line.strip() and words.casefold() in line.casefold()]
    return LogTail(found[-TAIL_LINES:], size, is_whole=size <= TAIL_BYTES, words=words)


class LogPart(NamedTuple):
    """Whole lines of an attempt's log from a byte on, cleaned."""

    attempt: int
    lines: list[str]
    next: int
    """The byte that the next part begins with."""
    size_bytes: int


def log_part(run: Run, attempt: int, start: int) -> LogPart:
    """What stands behind byte `start` of an attempt's log: whole lines, as long as more may be
    written, but for one that is too long to wait for."""
    try:
        file = open_plain(run.attempt_folder(attempt).log)
    except FileNotFoundError:
        return LogPart(attempt, [], 0, 0)
    with file:
        size = file.seek(0, os.SEEK_END)
        file.seek(min(start, size))
        text: bytes = file.read(TAIL_BYTES)
        end = file.tell()
    may_grow = end < size or (attempt == run.attempt and run.is_active)
    if may_grow and (b"\n" in text or len(text) < TAIL_BYTES):
        text = text[: text.rfind(b"\n") + 1]
    lines = [clean(line) for line in text.decode(errors="replace").split("\n")]
    shown = [line for line in lines if line.strip()]
    return LogPart(attempt, shown, min(start, size) + len(text), size)


def clean(line: str) -> str:
    """Progress bars overwrite themselves with carriage returns: the last state is kept."""
    plain = CONTROL.sub("", line.rstrip("\r").rpartition("\r")[2])[:LINE_LENGTH]
    return event_text(plain) if plain.startswith('{"') else plain


def event_text(line: str) -> str:
    """An event that the trainer printed as JSON, as text: time, kind, step, data."""
    try:
        event = Event.model_validate_json(line)
    except ValidationError:
        return line
    clock = datetime.fromtimestamp(event.time, UTC).strftime("%H:%M:%S")
    step = "" if event.step is None else f"step {event.step:,}  "
    return f"{clock}  {event.kind:<10}  {step}{event.payload.text()}"
