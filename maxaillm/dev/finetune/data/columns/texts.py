"""Plain texts of an example: one text, or the words of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maxaillm.dev.finetune.data.columns import (
    FoundTexts,
    Piece,
    StoredExample,
    TextColumn,
    Texts,
)

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class StringColumn(TextColumn):
    """One text, or none. Its part is the name of the field."""

    is_learned: bool = False
    """Whether a model learns to write every token of it."""

    def pieces(self, example: StoredExample) -> Iterator[Piece]:
        if self.name in example:
            yield Piece(example[self.name], self.name, self.is_learned)

    def changed(self, example: StoredExample, change: Callable[[Piece], str]) -> Any:
        return change(next(self.pieces(example)))

    def texts(self, table: pa.Table) -> Texts:
        found = one_a_row(table[self.name].combine_chunks())
        return with_part(found, self.name, is_learned=self.is_learned)

    def found(self, table: pa.RecordBatch, part: str | None) -> FoundTexts | None:
        return one_a_row(table[self.name]) if part in (None, self.name) else None


@dataclass(frozen=True)
class WordsColumn(TextColumn):
    """The words of a text; their part is "text"."""

    def pieces(self, example: StoredExample) -> Iterator[Piece]:
        yield Piece(" ".join(example[self.name]), "text", is_learned=False)

    def changed(self, example: StoredExample, change: Callable[[Piece], str]) -> Any:
        """Words are given one by one; one that would be left empty stays beside its tag."""
        words = (Piece(word, "text", is_learned=False) for word in example[self.name])
        return [change(word) or word.text for word in words]

    def texts(self, table: pa.Table) -> Texts:
        return with_part(self.joined(table[self.name].combine_chunks()), "text", is_learned=False)

    def found(self, table: pa.RecordBatch, part: str | None) -> FoundTexts | None:
        return self.joined(table[self.name]) if part in (None, "text") else None

    def joined(self, words: pa.ListArray) -> FoundTexts:
        import pyarrow.compute as pc

        return one_a_row(pc.binary_join(words, " "))


def one_a_row(column: pa.StringArray) -> FoundTexts:
    """A text a row, or none."""
    import numpy as np

    rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    return FoundTexts(column.drop_null() if column.null_count else column, rows)


def with_part(found: FoundTexts, part: str, *, is_learned: bool) -> Texts:
    """The texts, all of which are the same part."""
    import numpy as np
    import pyarrow as pa

    count = len(found.rows)
    parts = pa.repeat(part, count)
    return Texts(*found, parts, np.full(count, is_learned), np.ones(count, np.bool_))
