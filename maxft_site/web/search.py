"""Search by name. An app hands in its finder once, from `AppConfig.ready`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Hit(NamedTuple):
    """A thing that was found: its name, a second line, its page."""

    title: str
    text: str
    url: str


class Group(NamedTuple):
    """The hits of one kind, such as runs."""

    kind: str
    hits: Sequence[Hit]


LIMIT = 20
Finder = Callable[["User", str, int], Sequence[Hit]]
finders: dict[str, Finder] = {}


def register(kind: str, finder: Finder) -> None:
    """Let `finder(user, words, limit)` answer searches for `kind`, such as "Runs"."""
    finders[kind] = finder


def find(user: User, words: str) -> list[Group]:
    """Everything of the user's whose name holds `words`, by kind."""
    if not words:
        return []
    groups = (Group(kind, finder(user, words, LIMIT)) for kind, finder in finders.items())
    return [group for group in groups if group.hits]
