"""Quality checks of data that can be trained on: what may make the model worse. One a module.

A check sees every accepted row, some thousand at a time, and says which deserve a look. It never
drops one: what it finds becomes findings, and a fix makes a new version where the owner wants it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from typing import ClassVar, NamedTuple

from maxaillm.dev.finetune.components.registry import Component, Registry
from maxaillm.dev.finetune.data.store.batch import Batch

__all__ = ["Batch", "Check", "Issue", "checks"]


class Issue(NamedTuple):
    """Why a row deserves a look; `row` is the number of its record, None the whole dataset."""

    row: int | None
    message: str
    snippet: str = ""
    code: str | None = None
    """None: the name of the check."""
    other: int | None = None
    """The number of the record that it is like, of findings about pairs."""


class Check(Component, ABC):
    """One look at a dataset. An instance holds what it has seen of one, and is used once."""

    why: ClassVar[str]
    """Why it matters, in a sentence for a person who has never trained a model."""
    advice: ClassVar[str]
    """What to do about a finding, in a few words."""
    codes: ClassVar[frozenset[str]] = frozenset()
    """The codes of its findings, where they are not its name."""
    fix: ClassVar[str | None] = None
    """The name of the fix for what it finds, if there is one (`fixes/`)."""
    unit: ClassVar[str] = "row"
    """What its findings are counted in: one a row, a class, …"""

    @classmethod
    def fix_of(cls, code: str) -> str | None:
        """The fix for findings of this code, one of the check's own."""
        return cls.fix

    @abstractmethod
    def see(self, batch: Batch) -> Iterator[Issue]:
        """What is odd about these rows, as far as it shows by now."""

    def conclude(self) -> Iterator[Issue]:
        """What shows only once every row was seen."""
        return iter(())


def check_of(code: str) -> type[Check] | None:
    """The check that makes findings of this code; None where the reading of a file does."""
    if code in checks:
        return checks[code]
    return next((check for check in checks.values() if code in check.codes), None)


def are_about_rows(codes: Collection[str]) -> bool:
    """Whether findings of these codes name each row that they are about, not a class."""
    found = [check_of(code) for code in codes]
    return bool(found) and all(check is not None and check.unit == "row" for check in found)


def label_of(code: str) -> str:
    """What findings of this code are called: as their check, else by the words of the code."""
    return checks[code].label if code in checks else code.replace("_", " ").capitalize()


checks: Registry[Check] = Registry("data check", package=__name__)
