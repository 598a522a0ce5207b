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


def is_preference(columns: Columns) -> bool:
    names = columns.keys()
    return any(name.startswith(("rejected", "non_preferred")) for name in names) and (
        any(name.startswith(("chosen", "preferred")) for name in names)
        or not names.isdisjoint({"rejected_text", "rejected_response"})
    )


def is_unpaired_preference(columns: Columns) -> bool:
    if "kto_tag" in columns:
        return True
    answers = {"completion", "messages", "conversations"} & columns.keys()
    return bool(answers) and holds(columns, "label", is_true_or_false)


def is_ranked(columns: Columns) -> bool:
    return holds(columns, "answers", lambda value: "rank" in first_item(value))


def is_extractive(columns: Columns) -> bool:
    is_span = holds(columns, "answers", lambda value: isinstance(value, dict))
    return "paragraphs" in columns or ("context" in columns and is_span)


def is_token_classification(columns: Columns) -> bool:
    tags = {"tags", "ner_tags", "pos_tags", "labels"} & columns.keys()
    return bool(tags) and holds(columns, "tokens", items_or_repr)


def is_regression(columns: Columns) -> bool:
    values = next((columns[name] for name in ("label", "target", "score") if name in columns), [])
    return "text" in columns and any(is_fraction(value) for value in values)


def is_sentence_pair(columns: Columns) -> bool:
    pairs = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"))
    return any(has(*pair)(columns) for pair in pairs)


KINDS = (
    Kind("preference data", "chosen and rejected answers", is_preference),
    Kind("ranked answers", "answers with a rank", is_ranked),
    Kind(
        "unpaired preference data (KTO)",
        "an answer and a label that is true or false",
        is_unpaired_preference,
    ),
    Kind("stepwise reward data", "completions and labels", has("completions", "labels")),
    Kind(
        "extractive question answering (SQuAD)",
        "answers with their place in a context",
        is_extractive,
    ),
    Kind("token classification", "tokens and tags", is_token_classification),
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
    Kind("pairs of sentences", "two sentences in each row", is_sentence_pair),
    Kind("embedding data", "anchor and positive", has("anchor", "positive")),
    Kind("multiple choice", "question and choices", has("question", "choices")),
    Kind(
        "translation data",
        "translation",
        lambda columns: holds(columns, "translation", lambda value: isinstance(value, dict)),
    ),
    Kind("conversation trees", "parent_id", has("parent_id")),
    Kind("regression data", "text and a number with decimals", is_regression),
)


def refuse_unsupported(sample: Sequence[Row]) -> None:
    """Raise DataError where `sample` is a kind of data that would be learned wrongly."""
    columns = columns_of(sample)
    kind = next((kind for kind in KINDS if kind.is_kind(columns)), None)
    if kind is not None:
        raise DataError(
            f"This looks like {kind.words} ({kind.keys}); "
            "this version trains chat, text and classification data.",
            "Make a file of the answers that the model is to learn, or choose other data.",
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


def items_or_repr(value: Any) -> bool:
    """A list, also one that a table holds in Python's notation."""
    return isinstance(value, list) or (isinstance(value, str) and value.startswith("["))


def is_true_or_false(value: Any) -> bool:
    return isinstance(value, bool) or (
        isinstance(value, str) and value.strip().lower() in {"true", "false"}
    )


def is_fraction(value: Any) -> bool:
    """A number with decimals: no class is 0.37."""
    if isinstance(value, str) and "." in value:
        try:
            value = float(value)
        except ValueError:
            return False
    return isinstance(value, float) and not value.is_integer()
