"""Unfolding: rows of a record that holds several, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from maxaillm.dev.finetune.data.rows.values import Row, items_of


def a_row_each(record: Row, column: str) -> Iterator[Row]:
    """A row for each item of a list; what the record says beside goes along."""
    each = items_of(record.get(column)) or ()
    return rows_or_record(({**record, column: [one]} for one in each), record)


def rows_or_record(rows: Iterable[Row], record: Row) -> Iterator[Row]:
    """The rows; where there is none, the record, which is then refused with a reason."""
    is_empty = True
    for row in rows:
        is_empty = False
        yield row
    if is_empty:
        yield record
