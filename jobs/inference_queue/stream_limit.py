"""How many streams one user may hold open on this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class StreamLimit:
    """Counts the streams that are being read, by user."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open: Counter[int] = Counter()

    def is_reached(self, user_id: int) -> bool:
        return self.open[user_id] >= self.most

    @contextmanager
    def counted(self, user_id: int) -> Iterator[None]:
        self.open[user_id] += 1
        try:
            yield
        finally:
            self.open[user_id] -= 1
            self.open += Counter()  # drops those at zero
