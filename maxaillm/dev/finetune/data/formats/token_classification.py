"""Token classification: the words of a text, and a tag for each of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, formats, option_field
from maxaillm.dev.finetune.data.rows.labels.tags import tags_in, text_tags, words_in
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    columns_by_name,
    is_blank,
    is_mostly,
    items_of,
    list_problem,
    wrong_type,
)

TOKENS = ("tokens", "words")
TAGS = ("tags", "ner_tags", "pos_tags", "chunk_tags", "labels", "ner", "pos")


@formats.register
class TokenClassificationFormat(DataFormat):
    """A text cut into words, and the tag of each word."""

    label: ClassVar[str] = "Token classification"
    summary: ClassVar[str] = "tokens and tags: two lists of the same length in each row."
    gives: ClassVar[type[Example]] = TokenLabels
    is_usual: ClassVar[bool] = True

    name: Literal["token_classification"] = "token_classification"
    tokens: str = Field("tokens", title="Words", description="A list of texts.")
    tags: str = Field(
        "tags",
        title="Tags",
        description="A list with a tag for each word, such as B-PER, I-PER and O; "
        "whole numbers are taken as names.",
    )
    separator: Literal[" ", ","] | None = option_field(
        None,
        title="Tags are divided by",
        description="Where cells are no lists but texts: what stands between the tags. Words have "
        "blanks between them then.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """Several columns with tags, such as of entities and of parts of speech, tie."""
        present = columns_by_name(sample)
        tokens = next((present[name] for name in TOKENS if name in present), None)
        tags = tag_columns(sample)
        if tokens is not None and len(tags) == 1 and holds_lists(sample, tokens):
            return cls(tokens=tokens, tags=tags[0])
        found = text_tags(sample) if not tags else None
        return cls(tokens=found[0], tags=found[1], separator=found[2]) if found else None

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self:
        return cls()

    def check(self, row: Row) -> RowProblem | None:
        tokens = words_in(row.get(self.tokens), self.separator)
        tags = tags_in(row.get(self.tags), self.separator)
        if not tokens:
            return list_problem(row, self.tokens, "a list of texts")
        if not tags:
            return list_problem(row, self.tags, "a list of tags")
        if len(tokens) != len(tags):
            message = f"There are {len(tokens):,} words and {len(tags):,} tags."
            return RowProblem("tag_count", message, "Give each word one tag.")
        return token_problem(tokens) or tag_problem(tags)

    def to_fields(self, row: Row) -> Fields:
        tags = [tag_of(tag) for tag in tags_in(row[self.tags], self.separator) or ()]
        return {"tokens": words_in(row[self.tokens], self.separator), "tags": tags}


def tag_columns(sample: Sequence[Row]) -> list[str]:
    """The columns that have a name of tags and mostly hold lists."""
    present = columns_by_name(sample)
    named = [present[name] for name in TAGS if name in present]
    return [name for name in named if holds_lists(sample, name)]


def holds_lists(sample: Sequence[Row], column: str) -> bool:
    return is_mostly(sample, lambda row: items_of(row.get(column)) is not None)


def token_problem(tokens: Sequence[Any]) -> RowProblem | None:
    for number, token in enumerate(tokens, start=1):
        if not isinstance(token, str):
            return wrong_type(f"word {number}", token)
        if is_blank(token):
            fix = "Remove the word and its tag."
            return RowProblem("empty_word", f"Word {number} is empty.", fix)
    return None


def tag_problem(tags: Sequence[Any]) -> RowProblem | None:
    for number, tag in enumerate(tags, start=1):
        if tag_of(tag) is not None:
            continue
        if tag is None or isinstance(tag, str):
            return RowProblem("no_tag", f"Tag {number} is empty.", "Write O for words without one.")
        return wrong_type(f"tag {number}", tag, "a word or a whole number")
    return None


def tag_of(tag: Any) -> str | None:
    """A tag as text, or None where `tag` is none."""
    if isinstance(tag, str) and not is_blank(tag):
        return tag.strip()
    return str(tag) if isinstance(tag, int) and not isinstance(tag, bool) else None
