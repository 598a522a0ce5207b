"""Journal of an attempt: events as JSON lines with checksums, written and followed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Annotated, Self
from zlib import crc32

from pydantic import BaseModel, ConfigDict, JsonValue, StringConstraints, ValidationError

from maxaillm.dev.finetune.processes.plain_files import open_plain
from maxaillm.dev.finetune.run.events.payload import (
    EventError,
    EventPayload,
    payload_class,
    read_payload,
)

Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


class Event(BaseModel):
    """One line of the journal. `step` is set where the event belongs to an optimizer step."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seq: int
    kind: Kind
    step: int | None = None
    time: float
    data: dict[str, JsonValue] = {}

    @property
    def payload(self) -> EventPayload:
        """`data` as the class of its kind; untyped where that is not known or does not fit."""
        return read_payload(self.kind, self.data)

    @property
    def ends_run(self) -> bool:
        return payload_class(self.kind).ends_run


class Journal:
    """Appends events as JSON lines with a checksum each, forced to disk once a second."""

    def __init__(self, path: Path, fsync_seconds: float = 1.0) -> None:
        self.file: IO[bytes] = path.open("ab")
        self.fsync_seconds = fsync_seconds
        self.synced = time.monotonic()
        self.seq = sum(1 for _ in read_journal(path))

    def append(
        self, kind: str, step: int | None = None, data: Mapping[str, JsonValue] | None = None
    ) -> Event:
        """Write one event. Raises EventError, and ValueError where a NaN is deep inside `data`."""
        record = {"seq": self.seq + 1, "kind": kind, "step": step, "time": time.time()}
        try:
            event = Event.model_validate(record | {"data": data or {}})
        except ValidationError as error:
            raise EventError.of(kind, error, Event) from error
        self.seq = event.seq
        body = json.dumps(event.model_dump(mode="json"), allow_nan=False, ensure_ascii=False)
        self.file.write(f'{{"crc":{crc32(body.encode())},"event":{body}}}\n'.encode())
        self.file.flush()
        if event.ends_run or time.monotonic() - self.synced >= self.fsync_seconds:
            self.sync()
        return event

    def sync(self) -> None:
        os.fsync(self.file.fileno())
        self.synced = time.monotonic()

    def close(self) -> None:
        self.sync()
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class JournalReader:
    """Follows a journal that another process writes; a torn last line waits for its rest."""

    def __init__(self, path: Path, after: int = 0) -> None:
        self.path, self.seen, self.offset = path, after, 0

    def read(self, limit: int = 1000) -> list[Event]:
        """The next events, at most `limit`, in order."""
        events: list[Event] = []
        try:
            file = open_plain(self.path)
        except FileNotFoundError:
            return []
        with file:
            file.seek(self.offset)
            for line in file:
                if not line.endswith(b"\n") or len(events) == limit:
                    break
                self.offset += len(line)
                event = parse_line(line)
                if event is not None and event.seq > self.seen:
                    events.append(event)
                    self.seen = event.seq
        return events


def read_journal(path: Path) -> Iterator[Event]:
    """All whole events of a journal."""
    reader = JournalReader(path)
    while events := reader.read():
        yield from events


def parse_line(line: bytes) -> Event | None:
    """The event of one line; None where the line is torn or altered."""
    try:
        record = json.loads(line)
        event = Event.model_validate(record["event"])
        body = json.dumps(record["event"], allow_nan=False, ensure_ascii=False)
    except (ValueError, KeyError, TypeError):
        return None
    return event if crc32(body.encode()) == record["crc"] else None
