"""A stored row as what a person sees: bubbles of a talk, answers side by side, marked words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from datasets_app.display import shortened, storable
from maxaillm.dev.finetune.row_store import StoredRow

WORDS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
SHOWN_WORDS = 300


class Part(NamedTuple):
    """A turn of a talk; `is_trained` says that the model learns to write it."""

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
    """One of the ways that a talk goes on."""

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


def row_card(row: StoredRow) -> RowCard:
    shown = storable(row.example)
    return RowCard(
        row.number,
        row.example.get("split", ""),
        parts_of(row.example),
        [shortened(row.example[name]) for name in ("text", "pair") if name in row.example],
        ways_of(row.example),
        spans_of(shown),
        tags_of(shown),
        json.dumps(shown, ensure_ascii=False, indent=2),
    )


def parts_of(example: Mapping[str, Any]) -> list[Part]:
    """The turns of a talk, or of the prompt that two answers belong to."""
    is_learned = example.keys().isdisjoint({"chosen", "completion"})
    return [part_of(message, is_trained=is_learned) for message in example.get("messages", ())]


def ways_of(example: Mapping[str, Any]) -> list[Way]:
    """How the talk goes on, the way that is learned first."""
    if "chosen" in example:
        return [way_of(example["chosen"], CHOSEN), way_of(example["rejected"], REJECTED)]
    if "completion" in example:
        return [way_of(example["completion"], GOOD if example["desirable"] else POOR)]
    return []


def way_of(messages: Sequence[Mapping[str, Any]], verdict: Verdict) -> Way:
    is_learned = verdict.state == "ok"
    return Way(verdict, [part_of(message, is_trained=is_learned) for message in messages])


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


def spans_of(shown: Mapping[str, Any]) -> list[Span]:
    """Words beside each other with the same tag as one; B- begins an entity, I- goes on."""
    spans: list[Span] = []
    words = list(zip(shown.get("tokens", ()), shown.get("tags", ()), strict=True))
    for word, tag in words[:SHOWN_WORDS]:
        kind = "" if tag == "O" else tag.removeprefix("B-").removeprefix("I-")
        goes_on = not kind or tag.startswith("I-")
        if spans and goes_on and spans[-1].tag == kind:
            spans[-1] = Span(f"{spans[-1].text} {word}", kind)
        else:
            spans.append(Span(word, kind))
    if len(words) > SHOWN_WORDS:
        spans.append(Span(f"… ({len(words):,} words in all)", ""))
    return spans
