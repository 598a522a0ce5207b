"""The items of a JSON list as records: objects, texts, rows of cells, the Hub viewer's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from maxaillm.dev.finetune.data.readers.hub_features import name_of
from maxaillm.dev.finetune.data.readers.json_text import JsonText, Value
from maxaillm.dev.finetune.data.readers.layout import names_columns
from maxaillm.dev.finetune.data.readers.records import BadRecord, Record

VIEWER_KEYS = {"row_idx", "row"}
"""The Hub's dataset viewer wraps each row so."""


class Items:
    """The list that comes next in a document; `columns` names the cells of rows that are lists."""

    def __init__(
        self, text: JsonText, columns: Any = None, about: dict[str, Any] | None = None
    ) -> None:
        self.text = text
        self.columns = columns if are_names(columns) else None
        self.is_first = self.columns is None
        self.classes = classes_in((about or {}).get("features"))
        self.unnamed: set[str] = set()
        """What the rows lacked that may stand behind them: names of columns, or of classes."""

    def records(self) -> Iterator[Record | BadRecord]:
        self.text.take("[")
        if self.text.peek() == "]":
            self.text.take("]")
            return
        while True:
            record = self.record()
            if record is not None:
                yield record
            if self.text.take(",", "]") == "]":
                return

    def record(self) -> Record | BadRecord | None:
        """The next item; None for a header."""
        found = self.text.value()
        value = found.value
        if isinstance(value, list):
            if self.is_header(value):
                self.text.decoder.take_notes()
                return None
            return self.made(self.row_of_cells(value), found)
        if isinstance(value, dict) and value.keys() >= VIEWER_KEYS:
            if cut := value.get("truncated_cells"):
                self.text.decoder.take_notes()
                return cut_by_the_viewer(cut, found.line)
            if not self.classes:
                self.unnamed.add("features")
            try:
                return self.made(self.with_class_names(value["row"]), found)
            except ValueError as error:
                self.text.decoder.take_notes()
                return BadRecord(found.line, "bad_value", f"A value can't be read: {error}.", "")
        return self.made(value, found)

    def made(self, value: Any, found: Value) -> Record | BadRecord:
        _, start, end, line = found
        return self.text.decoder.record(value, self.text.buffer, start, end, line)

    def is_header(self, cells: list[Any]) -> bool:
        """Whether the first of several rows of cells names the columns."""
        is_first, self.is_first = self.is_first, False
        if is_first and are_names(cells) and names_columns(cells):
            self.columns = cells
            return True
        return False

    def row_of_cells(self, cells: list[Any]) -> Any:
        """A row for as many cells as there are columns; else `cells` as they are."""
        if self.columns is None:
            self.unnamed.add("columns")
        if self.columns is None or len(cells) != len(self.columns):
            return cells
        return dict(zip(self.columns, cells, strict=True))

    def with_class_names(self, row: Any) -> Any:
        """The viewer writes the numbers of classes; what they are called stands above the rows."""
        if not isinstance(row, dict):
            return row
        return row | {
            name: name_of(row.get(name), names)
            for name, names in self.classes.items()
            if name in row
        }


def are_names(value: Any) -> bool:
    is_list = isinstance(value, list) and bool(value)
    return (
        is_list and all(isinstance(name, str) for name in value) and len(set(value)) == len(value)
    )


def classes_in(features: Any) -> dict[str, Sequence[Any]]:
    """The names of classes by column, as the viewer describes features."""
    found: dict[str, Sequence[Any]] = {}
    for feature in features if isinstance(features, list) else ():
        if isinstance(feature, dict) and isinstance(feature.get("name"), str):
            names = class_names(feature.get("type"))
            if names:
                found[feature["name"]] = names
    return found


def class_names(kind: Any) -> Sequence[Any] | None:
    """Of a ClassLabel, or of a list of such."""
    if isinstance(kind, dict) and isinstance(kind.get("names"), list):
        return list(kind["names"])
    inner = kind.get("feature") if isinstance(kind, dict) else None
    return class_names(inner) if inner is not None else None


def cut_by_the_viewer(cells: Any, line: int) -> BadRecord:
    return BadRecord(
        line,
        "cut_cell",
        f"The viewer has cut {cells!r:.80} of this row.",
        "",
        "Take the dataset's own files from the Hub instead of the viewer's answer.",
    )
