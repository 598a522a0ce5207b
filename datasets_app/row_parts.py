"""A stored row as what a person sees: bubbles of a talk, a text, a text with its label."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from datasets_app.display import shortened, storable
from datasets_app.rows_file import StoredRow

WORDS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}


class Part(NamedTuple):
    """A piece of a row; `is_trained` says that the model learns to write it."""

    role: str
    word: str
    text: str
    is_trained: bool = False


class RowCard(NamedTuple):
    """A row on a page."""

    number: int
    parts: list[Part]
    label: str | None
    raw: str


def row_card(row: StoredRow) -> RowCard:
    shown = storable(row.example)
    return RowCard(
        row.number,
        parts_of(row.example),
        shown.get("label"),
        json.dumps(shown, ensure_ascii=False, indent=2),
    )


def parts_of(example: Mapping[str, Any]) -> list[Part]:
    if "messages" not in example:
        is_document = "label" not in example
        return [Part("document", "Text", shortened(example["text"]), is_document)]
    return [
        Part(
            message["role"],
            WORDS.get(message["role"], message["role"]),
            shortened(message["content"]),
            message["role"] == "assistant" and message.get("weight") != 0,
        )
        for message in example["messages"]
    ]
