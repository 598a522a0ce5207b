"""Selection sampling: so many rows of so many, by chance, in one pass, in their order."""

from __future__ import annotations

from random import Random


class SelectionSampling:
    """Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S).

    Every choice of `wanted` rows out of `rows` is as likely; the same seed makes the same.
    """

    def __init__(self, wanted: int, rows: int, seed: int | str) -> None:
        self.wanted, self.rows = min(wanted, rows), rows
        self.random = Random(seed)

    def takes_next(self) -> bool:
        """Whether the next row is one of them. To be asked once for each of the rows."""
        is_taken = self.random.random() * self.rows < self.wanted
        self.rows -= 1
        self.wanted -= is_taken
        return is_taken
