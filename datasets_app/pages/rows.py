"""A stored row as what a person sees: bubbles of a chat, answers side by side, marked words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice, zip_longest
from typing import Any, NamedTuple

from datasets_app.pages.text import SHOWN_CHARS, is_cut, shortened, storable
from maxaillm.dev.finetune.data.columns.messages import AnswerColumn, MessagesColumn, ToolsColumn
from maxaillm.dev.finetune.data.columns.targets import TagsColumn
from maxaillm.dev.finetune.data.columns.texts import StringColumn, WordsColumn
from maxaillm.dev.finetune.data.examples import Example, StoredExample
from maxaillm.dev.finetune.data.rows.values import items_of
from maxaillm.dev.finetune.data.store.batch import chars_of
from maxaillm.dev.finetune.data.store.store import StoredRow

WORDS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
SHOWN_ITEMS = 300
"""Of the turns of a chat, or of its words where each has a tag: a row may hold 16 MB of them."""


class Call(NamedTuple):
    """A tool that is called, and what it is given, as JSON."""

    name: str
    arguments: str


class Part(NamedTuple):
    """A turn of a chat; `is_trained` says that the model learns to write it."""

    role: str
    word: str
    text: str
    is_trained: bool = False
    reasoning: str = ""
    calls: tuple[Call, ...] = ()


class Verdict(NamedTuple):
    """What is said of an answer: the state, word and icon of its badge."""

    state: str
    word: str
    icon: str


class AnswerCard(NamedTuple):
    """One of the answers to a prompt: the turns with which a chat goes on."""

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
    answers: list[AnswerCard]
    spans: list[Span]
    tags: list[str]
    tools: list[str]
    raw: str
    turns: int
    """In all, also those that are not among the parts."""
    chars: int
    """Of the whole row."""
    is_cut: bool
    """Whether the row holds more than the card."""


def row_card(kind: type[Example], row: StoredRow) -> RowCard:
    """A row of a kind, whose columns say what is shown, and as what."""
    example, shown = row.example, storable(row.example, items=SHOWN_ITEMS)
    answers = kind.columns_of(AnswerColumn)
    chat = [column for column in kind.columns_of(MessagesColumn) if column not in answers]
    texts = [piece.text for own in kind.columns_of(StringColumn) for piece in own.pieces(example)]
    return RowCard(
        row.number,
        example.get("split", ""),
        [part for turns in chat for part in parts_of(turns, example)],
        list(map(shortened, texts)),
        [AnswerCard(verdict_of(own, example), parts_of(own, example)) for own in answers],
        spans_of(kind, example, shown),
        tags_of(kind, shown),
        tools_of(kind, shown),
        json.dumps(shown, ensure_ascii=False, indent=2),
        sum(len(example[turns.name]) for turns in chat),
        chars_of(example),
        is_cut(example, SHOWN_CHARS, SHOWN_ITEMS),
    )


def parts_of(turns: MessagesColumn, example: StoredExample) -> list[Part]:
    wanted = turns.is_wanted(example)
    return [
        part_of(turn, is_trained=wanted and turns.learns(turn))
        for turn in islice(example[turns.name], SHOWN_ITEMS)
    ]


def part_of(turn: Mapping[str, Any], *, is_trained: bool) -> Part:
    role = turn["role"]
    word = WORDS.get(role, role)
    calls = tuple(
        Call(call["name"], shortened(call["arguments"]))
        for call in turn.get("tool_calls", ())[:SHOWN_ITEMS]
    )
    return Part(
        role,
        f"{word} {turn['name']}" if turn.get("name") else word,
        shortened(turn["content"]),
        is_trained,
        shortened(turn.get("reasoning", "")),
        calls,
    )


def tools_of(kind: type[Example], shown: StoredExample) -> list[str]:
    """The tools that may be called, each as JSON."""
    columns = kind.columns_of(ToolsColumn)
    texts = [shown[column.name] for column in columns if shown.get(column.name)]
    tools = [tool for text in texts for tool in items_of(text) or [text]]
    return [json.dumps(tool, ensure_ascii=False, indent=2) for tool in tools[:SHOWN_ITEMS]]


def verdict_of(answer: AnswerColumn, example: StoredExample) -> Verdict:
    is_good, word = answer.is_wanted(example), answer.verdict(example)
    icons = ("poor", "good") if answer.flag else ("close", "check")
    return Verdict("ok" if is_good else "", word, icons[is_good])


def tags_of(kind: type[Example], shown: StoredExample) -> list[str]:
    """The classes of a row, or its number, for the head of its card; not what an answer says."""
    flags = {answer.flag for answer in kind.columns_of(AnswerColumn)}
    targets = (column for column in kind.target_columns() if column.name not in flags)
    return [word for own in targets if not own.of_words for word in own.words(shown)]


def spans_of(kind: type[Example], example: StoredExample, shown: StoredExample) -> list[Span]:
    """Words beside each other with the same tag as one; B- begins an entity, I- goes on."""
    spans: list[Span] = []
    tags = [tag for column in kind.columns_of(TagsColumn) for tag in shown[column.name]]
    for column in kind.columns_of(WordsColumn):
        for word, tag in zip_longest(shown[column.name], tags, fillvalue="O"):
            add_word(spans, word, tag)
        if (total := len(example[column.name])) > SHOWN_ITEMS:
            spans.append(Span(f"… ({total:,} words in all)", ""))
    return spans


def add_word(spans: list[Span], word: str, tag: str) -> None:
    entity = "" if tag == "O" else tag.removeprefix("B-").removeprefix("I-")
    goes_on = not entity or tag.startswith("I-")
    if spans and goes_on and spans[-1].tag == entity:
        spans[-1] = Span(f"{spans[-1].text} {word}", entity)
    else:
        spans.append(Span(word, entity))
