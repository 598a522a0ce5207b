"""Stored rows with other texts, labels or turns; the same row where nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from maxaillm.dev.finetune.data.formats import DataFormat, Example, formats
from maxaillm.dev.finetune.data.rows.values import RowProblem
from maxaillm.dev.finetune.data.store.batch import Piece, StoredExample

Turns = list[dict[str, Any]]


def with_texts(example: StoredExample, change: Callable[[Piece], str]) -> StoredExample:
    """`example` with each of its texts as `change` gives it, told as `row_batch.pieces_of` does.

    Words with a tag each are given one by one; one that would be left empty stays.
    """
    changed: StoredExample = {}
    is_chat = "chosen" not in example and "completion" not in example
    for name, is_answer in WAYS:
        if name in example:
            changed[name] = [
                changed_turn(
                    turn, change, is_answer=is_answer or (is_chat and turn.get("weight") != 0)
                )
                for turn in example[name]
            ]
    if "tokens" in example:
        words = (Piece(word, "text", is_learned=False) for word in example["tokens"])
        changed["tokens"] = [change(word) or word.text for word in words]
    is_document = "text" in example and example.keys() <= {"text", "split"}
    for name in ("text", "pair"):
        if name in example:
            changed[name] = change(Piece(example[name], name, is_document))
    return with_fields(example, changed)


WAYS = (("messages", False), ("chosen", True), ("rejected", True), ("completion", True))
"""Lists of turns, and whether an assistant's turn there is learned in every kind of example."""


def changed_turn(
    turn: dict[str, Any], change: Callable[[Piece], str], *, is_answer: bool
) -> dict[str, Any]:
    is_learned = is_answer and turn["role"] == "assistant"
    text = change(Piece(turn["content"], turn["role"], is_learned))
    return turn if text == turn["content"] else turn | {"content": text}


def with_labels(example: StoredExample, change: Callable[[str], str]) -> StoredExample:
    """`example` with its classes, or the tags of its words, as `change` gives them."""
    changed: StoredExample = {}
    if "label" in example:
        changed["label"] = change(example["label"])
    if "labels" in example:
        changed["labels"] = list(dict.fromkeys(map(change, example["labels"])))
    if "tags" in example:
        changed["tags"] = list(map(change, example["tags"]))
    return with_fields(example, changed)


def with_system(example: StoredExample, prompt: str) -> StoredExample:
    """A conversation that `prompt` opens instead of its system's turn; "" opens with none."""
    turns: Turns = example.get("messages", [])
    rest = [turn for turn in turns if turn["role"] != "system"]
    opening = [{"role": "system", "content": prompt}] if prompt else []
    return with_fields(example, {"messages": opening + rest}) if rest else example


def has_system(example: StoredExample) -> bool:
    return any(turn["role"] == "system" for turn in example.get("messages", ()))


def with_fields(example: StoredExample, changed: StoredExample) -> StoredExample:
    if all(example[name] == value for name, value in changed.items()):
        return example
    return example | changed


def problem_of_stored(kind: type[Example], example: StoredExample) -> RowProblem | None:
    """Why this row of the class `kind` can't be trained on, or None."""
    for own in readers_of(kind, frozenset(example)):
        return own.check(example)
    raise TypeError(f"no format reads stored rows of {kind.__name__}")


@cache
def readers_of(kind: type[Example], columns: frozenset[str]) -> list[DataFormat]:
    """The formats that read stored rows of `kind` with these columns."""
    found = (cls.of_stored(columns) for cls in formats.values() if cls.gives is kind)
    return [own for own in found if own is not None]
