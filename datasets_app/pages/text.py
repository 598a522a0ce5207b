"""Texts that users wrote, made safe to store and short enough to show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from maxaillm.dev.finetune.components.names import plain_name

SHOWN_CHARS = 2_000


def display_name(raw: str, limit: int = 300) -> str:
    """A file's name for display: one line, nothing hidden in it, at most `limit` long."""
    name = plain_name(raw) or "unnamed"
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def storable(value: Any, limit: int = SHOWN_CHARS, items: int | None = None) -> Any:
    """`value` with every text in it shortened and without what databases refuse.

    With `items` no list in it keeps more than so many.
    """
    if isinstance(value, str):
        return shortened(value.replace("\0", "␀"), limit)
    if isinstance(value, Mapping):
        return {storable(str(key), 200): storable(it, limit, items) for key, it in value.items()}
    if isinstance(value, Sequence):
        return [storable(item, limit, items) for item in value[:items]]
    return value


def is_cut(value: Any, limit: int, items: int) -> bool:
    """Whether `storable` leaves anything of it out."""
    if isinstance(value, str):
        return len(value) > limit
    if isinstance(value, Mapping):
        return any(is_cut(item, limit, items) for item in value.values())
    if isinstance(value, Sequence):
        return len(value) > items or any(is_cut(item, limit, items) for item in value)
    return False


def shortened(text: str, limit: int = SHOWN_CHARS) -> str:
    """The beginning of a long text and how much more there is; never half a character."""
    clean = re.sub("[\ud800-\udfff]", "�", text[:limit])
    if len(text) <= limit:
        return clean
    return f"{clean}… ({len(text):,} characters in all)"
