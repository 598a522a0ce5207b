"""A JSON document: a list of records, lists within a wrapper, a table, or a single object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from json import JSONDecodeError
from typing import Any

from maxaillm.dev.finetune.data.readers.encoding import Encoding
from maxaillm.dev.finetune.data.readers.json_items import Items, are_names, classes_in
from maxaillm.dev.finetune.data.readers.json_records import Decoder
from maxaillm.dev.finetune.data.readers.json_shapes import (
    Shape,
    are_places,
    holds_rows,
    is_table_of_columns,
)
from maxaillm.dev.finetune.data.readers.json_text import JsonText
from maxaillm.dev.finetune.data.readers.records import RECORD_CHARS, Aside, BadRecord, Note, Record
from maxaillm.dev.finetune.data.readers.sources import Source
from maxaillm.dev.finetune.data.rows.splits import COLUMN, Split, split_of, split_of_path
from maxaillm.dev.finetune.errors import DataError

TABLE_CHARS = 8 * RECORD_CHARS
"""A table that is written column by column lies in memory whole."""
Read = Iterator[Record | BadRecord]


def read_json_document(source: Source, encoding: Encoding, shape: Shape, aside: Aside) -> Read:
    decoder = Decoder(is_broken=encoding.is_broken)
    aside.clear()
    with encoding.open(source, newline=None) as file:
        text = JsonText(file, decoder)
        first = text.peek()
        if first == "[":
            yield from Items(text).records()
        elif first == "{" and shape.kind == "records":
            yield from objects(text)
        elif first == "{":
            yield from Wrapper(text, shape, aside).rows(shape.within)
        else:
            yield text.record()
        if text.peek():
            text.fail(JSONDecodeError("Expecting the end", text.buffer, text.position))


def objects(text: JsonText) -> Read:
    """Objects one below the other."""
    while text.peek() == "{":
        line = text.line_here()
        yield text.record()
        if text.peek() == "{" and text.line_here() == line:
            return  # two on one line: what follows is refused as trailing text


class Wrapper:
    """An object that holds the rows, and what stands beside them."""

    def __init__(self, text: JsonText, shape: Shape, aside: Aside) -> None:
        self.text, self.shape, self.aside = text, shape, aside
        self.beside: dict[str, str] = {}
        self.about: dict[str, Any] = {}
        """What describes the columns, as far as it was read."""
        self.unnamed_list = ""
        """The key of the rows that no split's name stands over."""
        self.unnamed: set[str] = set()
        """See `Items.unnamed`."""

    def rows(self, within: str | None) -> Read:
        """Those of the object that comes next; of the one under the key `within`, if any."""
        if within is None and self.shape.kind != "wrapper":
            yield from self.table()
            return
        self.text.take("{")
        while True:
            value, _, _, line = self.text.value()
            key = str(value)
            self.text.take(":")
            if key == within and self.text.peek() == "{":
                yield from self.rows(None)
            elif within is None and self.is_rows(key):
                yield from self.list_of(key, line)
            else:
                self.note_beside(key)
            if self.text.take(",", "}") == "}":
                break
        self.tell_beside()

    def is_rows(self, key: str) -> bool:
        return self.text.peek() == "[" and (holds_rows(key) or key == self.shape.rows_key)

    def list_of(self, key: str, line: int) -> Read:
        split = split_of_path(key)
        if split is None:
            if self.unnamed_list:
                raise DataError(
                    f"The file holds a second list of rows, {key!r}, at line {line}.",
                    "Save each list as a file of its own, or name them train, validation and test.",
                    code="two_lists",
                )
            self.unnamed_list = key
        items = Items(self.text, columns=self.about.get("columns"), about=self.about)
        yield from in_split(items.records(), split)
        self.unnamed |= items.unnamed

    def note_beside(self, key: str) -> None:
        line = self.text.line_here()
        value = self.text.value(TABLE_CHARS).value
        self.text.decoder.take_notes()
        if key in self.unnamed and (classes_in(value) or (key == "columns" and are_names(value))):
            raise DataError(
                f"What the names are, {key!r} at line {line}, stands behind the rows.",
                "Put it before them, or write each row as an object with the names in it.",
                code="late_names",
            )
        if key in ("columns", "features", "schema"):
            self.about[key] = value
        elif key != "index" or "columns" not in self.about:
            self.beside[key] = size_in_words(value)

    def tell_beside(self) -> None:
        if self.beside:
            named = ", ".join(f"{key!r:.60}{size}" for key, size in list(self.beside.items())[:12])
            self.aside.add(Note("beside_the_rows", f"Beside the rows the file has {named}."))
            self.beside.clear()

    def table(self) -> Read:
        """The rows of pandas' orients "columns", "list" and "index", or of one for each split."""
        table = self.text.value(TABLE_CHARS).value
        notes = self.text.decoder.take_notes()
        tables = table if self.shape.kind == "tables" else {"": table}
        for key, each in tables.items():
            split = split_of_path(key)
            if split is None and key:
                self.beside[key] = size_in_words(each)
                continue
            rows = enumerate(rows_of_table(each), start=1)
            records = (self.text.decoder.record_of(row, number) for number, row in rows)
            yield from in_split(records, split)
        for note in sorted(notes):
            self.aside.add(note)
        self.tell_beside()


def in_split(records: Read, split: Split | None) -> Read:
    """A row that names a known split itself is left as it is."""
    for record in records:
        if split is not None and isinstance(record, Record) and split_of(record.row) is None:
            record.row[COLUMN] = split
        yield record


def rows_of_table(table: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return rows_of_columns(table) if is_table_of_columns(table) else rows_by_name(table)


def rows_of_columns(table: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """A row's cells go together by its name: columns need not list the rows in the same order."""
    first = next(iter(table.values()))
    columns = [
        [column[name] for name in first] if isinstance(column, dict) else column
        for column in table.values()
    ]
    return (dict(zip(table, cells, strict=True)) for cells in zip(*columns, strict=True))


def rows_by_name(table: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """What the rows are called goes along as their id, unless it only numbers them."""
    if are_places(table):
        return iter(table.values())
    return ({"id": name, **row} for name, row in table.items())


def size_in_words(value: Any) -> str:
    if isinstance(value, list):
        return f" (a list of {len(value):,})"
    return f" (an object of {len(value):,})" if isinstance(value, dict) else ""
