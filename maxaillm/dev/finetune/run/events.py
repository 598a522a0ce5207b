"""What a run tells while it works: the journal in its directory, and the request to stop."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal, NamedTuple, Self, get_args
from zlib import crc32

from pydantic import BaseModel, ConfigDict, JsonValue

Kind = Literal[
    "stage", "resumed", "log", "eval", "checkpoint", "sample", "warning", "saved",
    "succeeded", "stopped", "failed",
]  # fmt: skip
"""stage      data {name: load | tokenise | train | evaluate | save, ...facts of the stage}
resumed    step = last step of the checkpoint, data {checkpoint}: later steps come again
log        step, data {loss, learning_rate, grad_norm, epoch, tokens, tokens_per_second,
           memory_bytes}; a value that is no number is null and named in data.not_finite
eval       step, data {eval_loss, <metric>..., rows, seconds}
checkpoint step, data {folder, size_bytes, best}: staged, verified, renamed
sample     step, data {prompt, answer, index}; step 0 is the base model
warning    data {message, hint}
saved      data {folder, size_bytes, kind: adapter | full}: the finished model
succeeded  step, data {metrics}          the last line of a run that did all its steps
stopped    step, data {action, saved}    the last line of a run that was asked to stop
failed     data {code, message, hint}    the last line of a run that could not go on"""
KINDS: tuple[str, ...] = get_args(Kind)
ENDINGS = frozenset({"succeeded", "stopped", "failed"})

StopAction = Literal["cancel", "save", "pause", "release"]
"""cancel: leave at once. save: leave with a model. pause, release: leave with a checkpoint;
release is the machine's request (a restart), not the user's."""


class Event(BaseModel):
    """One line of the journal. `step` is set where the event belongs to an optimizer step."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seq: int
    kind: Kind
    step: int | None = None
    time: float
    data: dict[str, JsonValue] = {}


class RunFolder(NamedTuple):
    """Where an attempt at a run keeps its things. Only fixed names, never a user's string."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "run.json"

    @property
    def journal(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def log(self) -> Path:
        return self.root / "log.txt"

    @property
    def stop(self) -> Path:
        return self.root / "stop.json"

    @property
    def heartbeat(self) -> Path:
        return self.root / "heartbeat"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def watch_lock(self) -> Path:
        """Held by who watches the trainer, as `lock` is by the trainer itself."""
        return self.root / "watch.lock"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def model(self) -> Path:
        return self.root / "model"

    def request_stop(self, action: StopAction) -> None:
        """Leave a request that the trainer reads before its next step."""
        write_atomically(self.stop, json.dumps({"action": action}).encode())

    def stop_action(self) -> StopAction | None:
        try:
            action: StopAction = json.loads(self.stop.read_bytes())["action"]
        except FileNotFoundError:
            return None
        return action


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` so that a reader, or a crash, sees the old file or the new one whole."""
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    with staged.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)


class Journal:
    """Appends events as JSON lines with a checksum each, forced to disk once a second."""

    def __init__(self, path: Path, fsync_seconds: float = 1.0) -> None:
        self.file: IO[bytes] = path.open("ab")
        self.fsync_seconds = fsync_seconds
        self.synced = time.monotonic()
        self.seq = sum(1 for _ in read_journal(path))

    def append(
        self, kind: Kind, step: int | None = None, data: dict[str, JsonValue] | None = None
    ) -> Event:
        """Write one event. Raises ValueError where `data` holds a NaN or an infinity."""
        self.seq += 1
        event = Event(seq=self.seq, kind=kind, step=step, time=time.time(), data=data or {})
        body = json.dumps(event.model_dump(mode="json"), allow_nan=False, ensure_ascii=False)
        self.file.write(f'{{"crc":{crc32(body.encode())},"event":{body}}}\n'.encode())
        self.file.flush()
        if kind in ENDINGS or time.monotonic() - self.synced >= self.fsync_seconds:
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
        if not self.path.exists():
            return []
        events: list[Event] = []
        with self.path.open("rb") as file:
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
