"""Resource limits (rlimits) of a child process: memory, processor time, no core dumps.

They are hard: what runs in the child can't raise them again, unless it is root."""

from __future__ import annotations

import resource
import sys
from typing import NamedTuple

GRACE_SECONDS = 2
"""Of processor time, between the signal that says it is used up and the kill."""


class Limits(NamedTuple):
    """What a child process may use."""

    memory_bytes: int
    """Of addresses (RLIMIT_AS), by each process. Linux only: macOS refuses to set it."""
    cpu_seconds: int
    """Of all threads together, by each process; then SIGXCPU ends it."""

    def apply(self) -> None:
        """Limit this process, and what it starts from now on."""
        if sys.platform == "linux":
            set_limit(resource.RLIMIT_AS, self.memory_bytes)
        set_limit(resource.RLIMIT_CPU, self.cpu_seconds, self.cpu_seconds + GRACE_SECONDS)
        set_limit(resource.RLIMIT_CORE, 0)


def set_limit(kind: int, value: int, hard: int | None = None, pid: int = 0) -> None:
    """Limit this process, on Linux also another one of this user. `hard`, else `value`, is where it
    can't be raised above; a limit that is lower already stays."""
    _, known = resource.getrlimit(kind) if pid == 0 else resource.prlimit(pid, kind)
    ceiling = value if hard is None else hard
    if known != resource.RLIM_INFINITY:
        ceiling = min(ceiling, known)
    limits = (min(value, ceiling), ceiling)
    if pid == 0:
        resource.setrlimit(kind, limits)
    else:
        resource.prlimit(pid, kind, limits)
