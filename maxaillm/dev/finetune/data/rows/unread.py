"""Unread keys: what an object in a row holds beside the keys that its format reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from maxaillm.dev.finetune.data.rows.values import items_of, object_of

Unread = Callable[[Any], Iterator[str]]
"""The keys within a cell that are not read, such as `audio` or `function.strict`."""


def holds(value: Any) -> bool:
    """Whether a value says anything: null and what is empty do not."""
    return value is not None and value not in ("", [], {})


def others(names: frozenset[str] | set[str], item: dict[str, Any]) -> Iterator[str]:
    """The keys of `item` that hold something and are not among `names`."""
    if not item.keys() <= names:
        yield from (name for name, value in item.items() if name not in names and holds(value))


def only(*names: str, **nested: Unread) -> Unread:
    """Of an object, or a list of them, only these keys are read; of `nested` only some within."""
    read = frozenset({*names, *nested})

    def unread(value: Any) -> Iterator[str]:
        for item in objects_in(value):
            yield from others(read, item)
            for name, inner in nested.items():
                yield from (f"{name}.{key}" for key in inner(item.get(name)))

    return unread


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """The object that a cell holds, or those in its list; a table's cell has them as JSON."""
    items = items_of(value)
    single = object_of(value) if items is None else None
    found = [single] if single is not None else items or ()
    yield from (item for item in found if isinstance(item, dict))
