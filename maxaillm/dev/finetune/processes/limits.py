"""Resource limits (rlimits) of a child process: memory, processor time, no core dumps."""

from __future__ import annotations

import resource
import sys
from typing import NamedTuple


class Limits(NamedTuple):
    """What a child process may use."""

    memory_bytes: int
    """Of addresses (RLIMIT_AS), by each process. Linux only: macOS refuses to set it."""
    cpu_seconds: int
    """Of all threads together, by each process; then SIGXCPU ends it."""

    def apply(self) -> None:
        """Limit this process, and what it starts from now on. Hard limits stay as they are."""
        if sys.platform == "linux":
            set_soft_limit(resource.RLIMIT_AS, self.memory_bytes)
        set_soft_limit(resource.RLIMIT_CPU, self.cpu_seconds)
        set_soft_limit(resource.RLIMIT_CORE, 0)


def set_soft_limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, hard))
