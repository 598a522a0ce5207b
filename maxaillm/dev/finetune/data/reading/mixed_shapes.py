"""Mixed shapes: a file in which many rows are of another shape than the format's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from maxaillm.dev.finetune.data.analysis.findings import Finding, shown
from maxaillm.dev.finetune.data.formats import DataFormat, recognise
from maxaillm.dev.finetune.data.reading.recognition import in_words, listed
from maxaillm.dev.finetune.data.rows.values import Row, RowProblem

CODES = {"missing", "wrong_type"}
"""What `DataFormat.check` finds in a row without the columns, or with other things in them."""
MANY = 0.2
"""Single broken rows have findings of their own; a fifth of a file is a shape of its own."""
Part = tuple[str, frozenset[str]]
"""A column of a row, with the keys of the objects in it."""
KEPT_ROWS, KEPT_CHARS = 20, 10_000
COUNTED_SHAPES = 100


class OtherShapes:
    """The running count; a format is told from a sample, this confirms it over the whole file."""

    def __init__(self, data_format: DataFormat) -> None:
        self.format = data_format
        self.count = 0
        self.columns: Counter[tuple[str, ...]] = Counter()
        self.rows: list[Row] = []
        self.known: set[Part] = set()

    def know(self, row: Row) -> None:
        """A row that the format takes."""
        self.known.update(parts_of(row))

    def add(self, row: Row, problem: RowProblem) -> None:
        """A row that the format refuses; one cell of another type makes no other shape."""
        is_same = problem.code == "wrong_type" and set(parts_of(row)) <= self.known
        if problem.code not in CODES or is_same:
            return
        self.count += 1
        columns = tuple(row)
        if columns in self.columns or len(self.columns) < COUNTED_SHAPES:
            self.columns[columns] += 1
        if len(self.rows) < KEPT_ROWS and len(repr(row)) <= KEPT_CHARS:
            self.rows.append(row)

    def finding(self, seen: int) -> Finding | None:
        """What to tell of a file with `seen` rows."""
        if self.count < MANY * seen or not self.count:
            return None
        columns, rows = self.columns.most_common(1)[0]
        others = [match for match in recognise(self.rows) if match.name != self.format.name]
        looks = f", which looks like {in_words(others[0])}" if len(others) == 1 else ""
        message = (
            f"{self.count:,} of {seen:,} rows are not written as {in_words(self.format)}. "
            f"The columns of {rows:,} are: {listed(columns)}{looks}."
        )
        return Finding(
            row=None,
            line=None,
            code="mixed_shapes",
            message=shown(message, 800),
            fix="Put rows of each shape into a file of their own and upload them one by one, or "
            "choose other columns.",
            level="warning",
        )


def parts_of(row: Row) -> Iterator[Part]:
    return ((name, keys_in(value)) for name, value in row.items() if value is not None)


def keys_in(value: object) -> frozenset[str]:
    """What an object or a list is told by, its keys or those of its first object; else nothing."""
    if isinstance(value, list):
        return frozenset({"[]", *(value[0] if value and isinstance(value[0], dict) else ())})
    return frozenset({"{}", *value}) if isinstance(value, dict) else frozenset()
