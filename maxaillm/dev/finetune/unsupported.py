"""Data that this version can't train on, told by its columns, to be refused and not mistaken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from maxaillm.dev.finetune.cells import Row, all_columns, items_of
from maxaillm.dev.finetune.errors import DataError

Columns = dict[str, list[Any]]
"""Name in small letters -> the values of the first rows, without nulls."""


class Kind(NamedTuple):
    """A family of data sets, the columns it is known by, and how to tell."""

    words: str
    keys: str
    is_kind: Callable[[Columns], bool]


def has(*names: str) -> Callable[[Columns], bool]:
    return lambda columns: columns.keys() >= set(names)


def has_any(*names: str) -> Callable[[Columns], bool]:
    return lambda columns: not columns.keys().isdisjoint(names)


def is_ranked(columns: Columns) -> bool:
    return holds(columns, "answers", lambda value: "rank" in first_item(value))


def is_extractive(columns: Columns) -> bool:
    is_span = holds(columns, "answers", lambda value: isinstance(value, dict))
    return "paragraphs" in columns or ("context" in columns and is_span)


def is_bare_pair(columns: Columns) -> bool:
    """Two sentences that nothing is said about."""
    pairs = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"))
    judgements = ("label", "target", "class", "score", "similarity", "rating", "category")
    is_judged = any(name.endswith(judgements) or name == "labels" for name in columns)
    return any(has(*pair)(columns) for pair in pairs) and not is_judged


KINDS = (
    Kind("ranked answers", "answers with a rank", is_ranked),
    Kind("stepwise reward data", "completions and labels", has("completions", "labels")),
    Kind(
        "extractive question answering (SQuAD)",
        "answers with their place in a context",
        is_extractive,
    ),
    Kind("pre-tokenised data", "input_ids", has("input_ids")),
    Kind(
        "Gemini chat",
        "contents with parts",
        lambda columns: holds(columns, "contents", lambda value: "parts" in first_item(value)),
    ),
    Kind(
        "template-free segments",
        "segments",
        lambda columns: holds(columns, "segments", lambda value: "text" in first_item(value)),
    ),
    Kind("pairs of sentences without a label", "two sentences in each row", is_bare_pair),
    Kind("embedding data", "anchor and positive", has("anchor", "positive")),
    Kind("multiple choice", "question and choices", has("question", "choices")),
    Kind("conversation trees", "parent_id", has("parent_id")),
)


def refuse_unsupported(sample: Sequence[Row]) -> None:
    """Raise DataError where `sample` is a kind of data that would be learned wrongly."""
    columns = columns_of(sample)
    kind = next((kind for kind in KINDS if kind.is_kind(columns)), None)
    if kind is not None:
        raise DataError(
            f"This looks like {kind.words} ({kind.keys}), which no format reads.",
            "Bring it into one of the formats, or choose the columns yourself.",
            code="unsupported_format",
        )


def columns_of(sample: Sequence[Row]) -> Columns:
    return {
        name.strip().lower(): [row[name] for row in sample if row.get(name) is not None]
        for name in all_columns(sample)
    }


def holds(columns: Columns, name: str, test: Callable[[Any], bool]) -> bool:
    """Whether most values of a column pass `test`."""
    values = columns.get(name, [])
    return bool(values) and sum(bool(test(value)) for value in values) * 2 >= len(values)


def first_item(value: Any) -> dict[str, Any]:
    items = items_of(value)
    return items[0] if items and isinstance(items[0], dict) else {}
