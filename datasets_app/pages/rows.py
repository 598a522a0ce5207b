"""A stored row as what a person sees: bubbles of a chat, answers side by side, marked words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from datasets_app.pages.text import SHOWN_CHARS, is_cut, shortened, storable
from maxaillm.dev.finetune.data.store.batch import chars_of
from maxaillm.dev.finetune.data.store.store import StoredRow

WORDS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
SHOWN_ITEMS = 300
"""Of the turns of a chat, or of its words where each has a tag: a row may hold 16 MB of them."""


class Part(NamedTuple):
    """A turn of a chat; `is_trained` says that the model learns to write it."""

    role: str
    word: str
    text: str
    is_trained: bool = False


class Verdict(NamedTuple):
    """What is said of an answer: the state, word and icon of its badge."""

    state: str
    word: str
    icon: str


CHOSEN, REJECTED = Verdict("ok", "Chosen", "check"), Verdict("", "Rejected", "close")
GOOD, POOR = Verdict("ok", "Desirable", "good"), Verdict("", "Undesirable", "poor")


class Way(NamedTuple):
    """One of the ways that a chat goes on."""

    verdict: Verdict
    parts: list[Part]


class Span(NamedTuple):
    """Words with one tag; "" where there is nothing to mark."""

    text: str
    tag: str


class RowCard(NamedTuple):
    """A row on a page."""

    number: int
    split: str
    parts: list[Part]
    texts: list[str]
    ways: list[Way]
    spans: list[Span]
    tags: list[str]
    raw: str
    turns: int
    """In all, also those that are not among the parts."""
    chars: int
    """Of the whole row."""
    is_cut: bool
    """Whether the row holds more than the card."""


def row_card(row: StoredRow) -> RowCard:
    shown = storable(row.example, items=SHOWN_ITEMS)
    return RowCard(
        row.number,
        row.example.get("split", ""),
        parts_of(row.example),
        [shortened(row.example[name]) for name in ("text", "pair") if name in row.example],
        ways_of(row.example),
        spans_of(shown, len(row.example.get("tokens", ()))),
        tags_of(shown),
        json.dumps(shown, ensure_ascii=False, indent=2),
        len(row.example.get("messages", ())),
        chars_of(row.example),
        is_cut(row.example, SHOWN_CHARS, SHOWN_ITEMS),
    )


def parts_of(example: Mapping[str, Any]) -> list[Part]:
    """The turns of a chat, or of the prompt that two answers belong to."""
    is_learned = example.keys().isdisjoint({"chosen", "completion"})
    turns = example.get("messages", [])[:SHOWN_ITEMS]
    return [part_of(message, is_trained=is_learned) for message in turns]


def ways_of(example: Mapping[str, Any]) -> list[Way]:
    """How the chat goes on, the way that is learned first."""
    if "chosen" in example:
        return [way_of(example["chosen"], CHOSEN), way_of(example["rejected"], REJECTED)]
    if "completion" in example:
        return [way_of(example["completion"], GOOD if example["desirable"] else POOR)]
    return []


def way_of(messages: Sequence[Mapping[str, Any]], verdict: Verdict) -> Way:
    is_learned = verdict.state == "ok"
    turns = messages[:SHOWN_ITEMS]
    return Way(verdict, [part_of(message, is_trained=is_learned) for message in turns])


def part_of(message: Mapping[str, Any], *, is_trained: bool) -> Part:
    is_answer = message["role"] == "assistant" and message.get("weight") != 0
    word = WORDS.get(message["role"], message["role"])
    return Part(message["role"], word, shortened(message["content"]), is_trained and is_answer)


def tags_of(shown: Mapping[str, Any]) -> list[str]:
    """The classes of a row, or its number, for the head of its card."""
    if "labels" in shown:
        return shown["labels"] or ["no label"]
    if "score" in shown:
        return [f"{shown['score']:,g}"]
    return [shown["label"]] if "label" in shown else []


def spans_of(shown: Mapping[str, Any], total: int) -> list[Span]:
    """Words beside each other with the same tag as one; B- begins an entity, I- goes on.

    `total`: how many words the row has, shown or not.
    """
    spans: list[Span] = []
    for word, tag in zip(shown.get("tokens", ()), shown.get("tags", ()), strict=True):
        kind = "" if tag == "O" else tag.removeprefix("B-").removeprefix("I-")
        goes_on = not kind or tag.startswith("I-")
        if spans and goes_on and spans[-1].tag == kind:
            spans[-1] = Span(f"{spans[-1].text} {word}", kind)
        else:
            spans.append(Span(word, kind))
    if total > SHOWN_ITEMS:
        spans.append(Span(f"… ({total:,} words in all)", ""))
    return spans
