"""A clock that says how long ago something was."""

from __future__ import annotations

import time


class Clock:
    """Says when something has been so long ago. Never the wall's clock: that one jumps."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def restart(self) -> None:
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began
