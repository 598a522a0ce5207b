"""Columns of an example: how the texts, labels and scores in them are read, searched and changed.

A kind of example (`examples/`) says of each of its fields which column it is. Whoever stores,
searches, counts, shows or fixes rows asks the columns and need not know the kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

StoredExample = dict[str, Any]
"""An example's fields without those that are None."""
PART_TITLES = {
    "system": "System prompt",
    "user": "Prompt",
    "assistant": "Answer",
    "reasoning": "Reasoning",
    "call": "Tool call",
    "tool": "Answer of a tool",
    "text": "Text",
    "pair": "Second text",
}
"""What the usual parts of a row are called (`Piece.part`), in the order in which they are shown."""


class Piece(NamedTuple):
    """A text of a row, and what it is there: "user", "assistant", "system", "tool", "text", …"""

    text: str
    part: str
    is_learned: bool
    """Whether a model learns to write it, or not to."""
    is_wanted: bool = True
    """False for an answer that a model learns not to give."""


class Texts(NamedTuple):
    """Texts of a batch, one after the other, and whose they are: columns of one length."""

    values: pa.StringArray
    rows: NDArray[np.int64]
    """For each text the place of its row within the batch, from 0; they are in order."""
    parts: pa.StringArray
    is_learned: NDArray[np.bool_]
    is_wanted: NDArray[np.bool_]

    @classmethod
    def joined(cls, columns: Sequence[Texts]) -> Texts:
        """Those of several columns; of each row in the order of the columns."""
        import numpy as np
        import pyarrow as pa

        if len(columns) == 1:
            return columns[0]
        values, rows, parts, learned, wanted = zip(*columns, strict=True)
        order = np.argsort(np.concatenate(rows), kind="stable")
        return cls(
            pa.concat_arrays(values).take(order),
            np.concatenate(rows)[order],
            pa.concat_arrays(parts).take(order),
            np.concatenate(learned)[order],
            np.concatenate(wanted)[order],
        )


class FoundTexts(NamedTuple):
    """Texts to search in, and for each the place of its row."""

    values: pa.StringArray
    rows: NDArray[np.int64]

    def lengths(self, rows: int) -> NDArray[np.int64]:
        """For each of so many rows how many characters it has here."""
        import numpy as np
        import pyarrow.compute as pc

        chars = np.zeros(rows, np.int64)
        np.add.at(chars, self.rows, pc.utf8_length(self.values).to_numpy(zero_copy_only=False))
        return chars

    def of(self, kept: NDArray[np.bool_]) -> FoundTexts:
        """Those of the rows in `kept`."""
        import pyarrow as pa

        if kept.all():
            return self
        mask = kept[self.rows]
        return FoundTexts(self.values.filter(pa.array(mask)), self.rows[mask])

    def rows_with(self, word: str) -> NDArray[np.int64]:
        """The places of the rows that have `word` in one of these texts, in any case."""
        import pyarrow.compute as pc

        found = pc.match_substring(self.values, word, ignore_case=True)
        hits: NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
        return self.rows[hits]


@dataclass(frozen=True)
class Column:
    """What a field of an example holds; `name` is the field's, known once a kind declares it."""

    name: str = field(default="", kw_only=True)

    def named(self, name: str) -> Self:
        return replace(self, name=name)


class TextColumn(Column, ABC):
    """Texts that a model reads or learns to write: of single rows, and of many as Arrow has them.

    Arrow's way takes a tenth of the time: it is for whole batches and tables.
    """

    @property
    def paths(self) -> list[str]:
        """What a search has to read of a Parquet file."""
        return [self.name]

    @abstractmethod
    def pieces(self, example: StoredExample) -> Iterator[Piece]:
        """The texts of a row, in the order in which a model reads them."""

    @abstractmethod
    def changed(self, example: StoredExample, change: Callable[[Piece], str]) -> Any:
        """The value with each of its texts as `change` gives it."""

    @abstractmethod
    def texts(self, table: pa.Table) -> Texts:
        """What `pieces` gives, of all rows of a table."""

    @abstractmethod
    def found(self, table: pa.RecordBatch, part: str | None) -> FoundTexts | None:
        """The texts of a table with `paths`, or those of one part; None: none can be there."""


class TargetColumn(Column, ABC):
    """What a model is to say of the texts: a class, several, or a number."""

    of_words: ClassVar[bool] = False
    """Whether it says something of each word, not of the row."""
    is_one_class: ClassVar[bool] = False
    """Whether each row has exactly one class here."""

    @abstractmethod
    def labels(self, example: StoredExample) -> list[str]:
        """The classes that a row is one of here, each once."""

    def words(self, example: StoredExample) -> list[str]:
        """What it says of a row, for a person to read."""
        return self.labels(example) or ["no label"]

    @abstractmethod
    def renamed(self, example: StoredExample, change: Callable[[str], str]) -> Any:
        """The value with its classes as `change` gives them."""

    @abstractmethod
    def has_label(self, table: pa.RecordBatch, label: str) -> NDArray[np.bool_]:
        """For each row of a table whether `labels` names `label`."""

    def fact(self, example: StoredExample) -> Hashable:
        """What is the same where two rows say the same here."""
        value = example.get(self.name)
        return tuple(value) if isinstance(value, list) else value
