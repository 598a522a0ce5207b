"""Texts and labels of stored rows as columns of Arrow: what `row_batch` says of single rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


class TextColumn(NamedTuple):
    """Texts, and for each the place of its row."""

    values: pa.StringArray
    rows: NDArray[np.int64]

    def lengths(self, rows: int) -> NDArray[np.int64]:
        """For each of so many rows how many characters it has here."""
        import numpy as np
        import pyarrow.compute as pc

        chars = np.zeros(rows, np.int64)
        np.add.at(chars, self.rows, pc.utf8_length(self.values).to_numpy(zero_copy_only=False))
        return chars

    def of(self, kept: NDArray[np.bool_]) -> TextColumn:
        """Those of the rows in `kept`."""
        import pyarrow as pa

        if kept.all():
            return self
        mask = kept[self.rows]
        return TextColumn(self.values.filter(pa.array(mask)), self.rows[mask])

    def rows_with(self, word: str) -> NDArray[np.int64]:
        """The places of the rows that have `word` in one of these texts, in any case."""
        import pyarrow.compute as pc

        found = pc.match_substring(self.values, word, ignore_case=True)
        hits: NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
        return self.rows[hits]


def text_columns(table: pa.RecordBatch, part: str | None = None) -> Iterator[TextColumn]:
    """Every text of the table, or those of one part (`row_batch.Piece`)."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, column in zip(table.schema.names, table.columns, strict=True):
        if name == "tokens" and part in (None, "text"):
            yield of_column(pc.binary_join(column, " "))
        elif name in ("text", "pair") and part in (None, name):
            yield of_column(column)
        elif pa.types.is_list(column.type) and pa.types.is_struct(column.type.value_type):
            turns, rows = column.flatten(), np.asarray(pc.list_parent_indices(column), np.int64)
            texts = TextColumn(turns.field("content"), rows)
            if part is not None:
                mask = pc.equal(turns.field("role"), part)
                texts = TextColumn(texts.values.filter(mask), rows[np.asarray(mask, bool)])
            yield texts


def of_column(column: pa.StringArray) -> TextColumn:
    """A text a row, or none."""
    import numpy as np

    rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    return TextColumn(column.drop_null() if column.null_count else column, rows)


def has_label(table: pa.RecordBatch, label: str) -> NDArray[np.bool_]:
    """For each row whether `row_batch.labels_of` names `label`."""
    import numpy as np
    import pyarrow.compute as pc

    found = np.zeros(len(table), bool)
    names: dict[str, Any] = dict(zip(table.schema.names, table.columns, strict=True))
    if "label" in names:
        found |= pc.equal(names["label"], label).to_numpy(zero_copy_only=False)
    if "desirable" in names and label in ("desirable", "undesirable"):
        found |= pc.equal(names["desirable"], label == "desirable").to_numpy(zero_copy_only=False)
    for name in {"labels", "tags"} & names.keys():
        hits = pc.equal(names[name].flatten(), label).to_numpy(zero_copy_only=False)
        found[np.asarray(pc.list_parent_indices(names[name]))[hits]] = True
    return found
