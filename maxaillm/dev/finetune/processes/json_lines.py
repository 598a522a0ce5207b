"""JSON Lines protocol between a child process and its parent: one `{kind: content}` a line.

The parent, a `JsonChild`, sends the task over standard input; the child emits what it finds on
standard output. It runs in the child as well, so it imports little.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import IO, Any

from maxaillm.dev.finetune.processes.limits import Limits
from maxaillm.dev.finetune.processes.parent_death import end_with_parent

PROGRESS_SECONDS = 0.5
Emit = Callable[[str, object], object]


def write_line(stream: IO[str], kind: str, content: object) -> None:
    stream.write(json.dumps({kind: content}) + "\n")
    stream.flush()


def read_lines(stream: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Kind and content of each line. One that the writer's death cut off is left out."""
    for line in stream:
        if not line.endswith("\n"):
            return
        ((kind, content),) = json.loads(line).items()
        yield kind, content


def send_task(stream: IO[str], task: object, limits: Limits) -> None:
    """From the parent: the first line that its child reads."""
    order = {"task": task, "limits": limits._asdict(), "parent": os.getpid()}
    write_line(stream, "order", order)


def receive_task() -> Any:
    """In the child: its task. From here on its limits hold, and it ends with its parent."""
    _, order = next(read_lines(sys.stdin))
    end_with_parent(order["parent"])
    Limits(**order["limits"]).apply()
    return order["task"]


def emit(kind: str, content: object) -> None:
    """In the child: tell the parent something."""
    write_line(sys.stdout, kind, content)


class ProgressEmitter:
    """Emits how far the work is, but not more often than every so many seconds."""

    def __init__(self, emit: Emit = emit, seconds: float = PROGRESS_SECONDS) -> None:
        self.emit_line, self.seconds = emit, seconds
        self.last = monotonic()

    def emit(self, progress: float) -> None:
        if monotonic() - self.last > self.seconds:
            self.last = monotonic()
            self.emit_line("progress", progress)
