"""Fixes: what can be done about findings. Each makes a new version of a dataset. One a module.

A fix gets the rows one by one, in their order, and gives each back as it is, changed, or not at
all. It never writes: what it did is counted by who calls it (`recipe`), so that nothing goes in
silence. Nor does it ever get a row of a locked split to change: that too is the caller's care.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import ClassVar, Self

from pydantic import PrivateAttr

from maxaillm.dev.finetune.components.registry import Component, Registry
from maxaillm.dev.finetune.data.columns import StoredExample
from maxaillm.dev.finetune.data.examples import Example

__all__ = ["Fix", "StoredExample", "fixes"]


class Fix(Component, ABC):
    """A change of rows; its fields are its options."""

    summary: ClassVar[str]
    """What it does, in a sentence."""
    needs_findings: ClassVar[bool] = False
    """Whether it only touches rows that findings name: it must be told which findings."""
    why_left_out: ClassVar[str] = ""
    """The reason, where it leaves rows out that nobody would expect."""
    looks_ahead: ClassVar[bool] = False
    """Whether it must see every row before it changes the first: that takes one more pass."""

    _kind: type[Example] = PrivateAttr()

    @property
    def kind(self) -> type[Example]:
        """What the rows are."""
        return self._kind

    def for_rows_of(self, kind: type[Example]) -> Self:
        """A copy that is ready to see rows of this kind."""
        copy = self.model_copy(deep=True)
        copy._kind = kind
        return copy

    def see(self, example: StoredExample, *, is_locked: bool) -> None:
        """Where it looks ahead: a row as it will come to `apply`, or as it stays, being locked."""

    def begin(self, flagged: Collection[int] = ()) -> None:
        """Get ready: called once, behind what it has seen and before the first row to change.

        `flagged` are the numbers of the rows that the findings to be fixed name; empty where
        none are meant. State lies in private attributes; a fix that was begun is not used again.
        """

    @abstractmethod
    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        """The row as it is to be; the same object where nothing changes, None to leave it out."""


fixes: Registry[Fix] = Registry("fix", package=__name__)
