"""Row query: by words, label, split, length. Asked of a single row or of a table."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from maxaillm.dev.finetune.data.columns import (
    PART_TITLES,
    FoundTexts,
    StoredExample,
)
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.rows.splits import Split
from maxaillm.dev.finetune.data.store.schema import NUMBER

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

WORD = re.compile(r'"([^"]+)"|(\S+)')


Part = Literal[
    "system", "user", "assistant", "reasoning", "call", "tool", "text", "pair"
]  # fmt: skip


class RowQuery(BaseModel):
    """Conditions that a row meets all of; without any, every row is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    words: str = Field(
        "",
        max_length=200,
        title="Words",
        description="All of them occur, in capitals or not. What stands in double quotes "
        "occurs as it is written, blanks included.",
    )
    part: Part | None = Field(
        None,
        title="Where",
        description="Look only at this part of a row: what it says and how long it is.",
        json_schema_extra={"labels": {"": "Anywhere", **PART_TITLES}},
    )
    label: str | None = Field(
        None, title="Label", description="The row is of this class, or has this tag."
    )
    split: Split | None = Field(
        None,
        title="Split",
        description="A row that names none belongs to train.",
        json_schema_extra={
            "labels": {
                "": "Every split",
                "train": "Train",
                "validation": "Validation",
                "test": "Test",
            }
        },
    )
    min_chars: int | None = Field(
        None,
        ge=0,
        title="Shortest",
        description="So many characters at least, all texts together.",
        json_schema_extra={"unit": "characters"},
    )
    max_chars: int | None = Field(
        None,
        ge=0,
        title="Longest",
        description="So many characters at most, all texts together.",
        json_schema_extra={"unit": "characters"},
    )

    @model_validator(mode="after")
    def has_room(self) -> Self:
        if self.max_chars is not None and (self.min_chars or 0) > self.max_chars:
            raise ValueError("The shortest is longer than the longest.")
        return self

    @cached_property
    def sought(self) -> list[str]:
        """The words, those first that the fewest rows will have."""
        words = [quoted or plain for quoted, plain in WORD.findall(self.words)]
        return sorted(dict.fromkeys(words), key=len, reverse=True)

    @cached_property
    def patterns(self) -> list[re.Pattern[str]]:
        return [any_case(word) for word in self.sought]

    def matches(self, kind: type[Example], example: StoredExample) -> bool:
        """Whether a row of a kind is meant: what `mask` says, of a single one."""
        if self.split and example.get("split", "train") != self.split:
            return False
        if self.label is not None and self.label not in kind.labels_of(example):
            return False
        pieces = kind.pieces_of(example)
        texts = [piece.text for piece in pieces if self.part in (None, piece.part)]
        if self.part and not texts:
            return False
        return self.is_within(sum(map(len, texts))) and all(
            any(pattern.search(text) for text in texts) for pattern in self.patterns
        )

    def is_within(self, chars: int) -> bool:
        shortest, longest = self.min_chars, self.max_chars
        return (shortest is None or chars >= shortest) and (longest is None or chars <= longest)

    def columns(self, kind: type[Example]) -> list[str]:
        """The columns of stored rows that `mask` has to see; parts of a list by their path."""
        named = ["split"] if self.split else []
        if self.label is not None:
            named += [column.name for column in kind.target_columns()]
        if self.reads_texts:
            named += [path for column in kind.text_columns() for path in column.paths]
        return named or [NUMBER]

    @property
    def reads_texts(self) -> bool:
        asked = (self.part, self.min_chars, self.max_chars)
        return bool(self.sought) or any(value is not None for value in asked)

    def mask(self, kind: type[Example], table: pa.RecordBatch) -> NDArray[np.bool_]:
        """For each row of a table with the columns asked for, whether it is meant."""
        import numpy as np
        import pyarrow.compute as pc

        kept = np.ones(len(table), bool)
        if self.split:
            splits = pc.fill_null(table["split"], "train")
            kept &= pc.equal(splits, self.split).to_numpy(zero_copy_only=False)
        if self.label is not None:
            targets = kind.target_columns()
            labelled = [column.has_label(table, self.label) for column in targets]
            kept &= np.logical_or.reduce([np.zeros(len(table), bool), *labelled])
        if self.reads_texts:
            found = (column.found(table, self.part) for column in kind.text_columns())
            self.look_at_texts([texts for texts in found if texts is not None], kept)
        return kept

    def look_at_texts(self, texts: list[FoundTexts], kept: NDArray[np.bool_]) -> None:
        """Take from `kept` the rows whose texts are not those that are meant."""
        import numpy as np

        rows = len(kept)
        if self.part:
            kept &= sum((np.bincount(text.rows, minlength=rows) for text in texts), 0) > 0
        if self.min_chars is not None or self.max_chars is not None:
            chars = sum((text.lengths(rows) for text in texts), np.zeros(rows, np.int64))
            kept &= chars >= (self.min_chars or 0)
            if self.max_chars is not None:
                kept &= chars <= self.max_chars
        for word in self.sought:
            if not kept.any():
                return
            found = np.zeros(rows, bool)
            for text in texts:
                found[text.of(kept).rows_with(word)] = True
            kept &= found


def any_case(word: str) -> re.Pattern[str]:
    """`word` in capitals or not, as Arrow folds case: Python takes İ and ı for an i, too."""
    marks = {"i": "(?-i:[iI])", "I": "(?-i:[iI])", "İ": "(?-i:İ)", "ı": "(?-i:ı)"}
    return re.compile("".join(marks.get(mark) or re.escape(mark) for mark in word), re.IGNORECASE)
