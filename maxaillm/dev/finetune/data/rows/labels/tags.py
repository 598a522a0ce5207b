"""Words and tags of a sentence: as lists, or as texts with something between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from maxaillm.dev.finetune.data.rows.values import Row, is_mostly, items_of, text_columns

TOKENS = ("tokens", "words", "sentence", "text")
TAGS = ("tags", "ner_tags", "pos_tags", "chunk_tags", "labels", "ner", "pos", "word_labels", "tag")
TAG = re.compile(r"O|[BIESLUM][-_]\S+")
SEPARATORS = (" ", ",")


def words_in(value: Any, separator: str | None) -> list[Any] | None:
    """The words in a cell: of a list, or of a text with blanks between them; else None."""
    return divided(value, separator and " ")


def tags_in(value: Any, separator: str | None) -> list[Any] | None:
    """The tags in a cell: of a list, or of a text with `separator` between them; else None."""
    return divided(value, separator)


def divided(value: Any, separator: str | None) -> list[Any] | None:
    items = items_of(value)
    if items is not None or separator is None or not isinstance(value, str):
        return items
    return value.split() if separator == " " else [tag.strip() for tag in value.split(separator)]


def text_tags(sample: Sequence[Row]) -> tuple[str, str, str] | None:
    """The columns of words and tags that are texts, and what divides the tags; else None."""
    texts = text_columns(sample)
    tokens = next((texts[name] for name in TOKENS if name in texts), None)
    tags = next((texts[name] for name in TAGS if name in texts), None)
    if tokens is None or tags is None:
        return None
    for separator in SEPARATORS:
        if is_mostly(sample, lambda row, by=separator: fit(row.get(tokens), row.get(tags), by)):  # type: ignore[misc]
            return tokens, tags, separator
    return None


def fit(words: Any, tags: Any, separator: str) -> bool:
    """Whether these are texts with as many words as tags, and the tags those of entities."""
    if not isinstance(words, str) or not isinstance(tags, str):
        return False
    found = tags_in(tags, separator) or []
    return are_tags(found) and len(found) == len(words.split()) and len(found) > 1


def are_tags(pieces: Sequence[Any]) -> bool:
    """Whether all of these are written as BIO tags are."""
    return bool(pieces) and all(isinstance(one, str) and TAG.fullmatch(one) for one in pieces)
