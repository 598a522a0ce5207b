"""Inspection: accepted rows are counted, stored and checked on their way into a dataset."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from maxaillm.dev.finetune.data.analysis.findings import Finding, Report, ReportError, shown
from maxaillm.dev.finetune.data.analysis.statistics import RowStatistics
from maxaillm.dev.finetune.data.checks import Check, Issue, checks
from maxaillm.dev.finetune.data.store.batch import Batch

COUNTED_CLASSES = 10_000


class Inspection:
    """The rows of one dataset: passes them on, and tells what deserves a look."""

    def __init__(
        self, on_batch: Callable[[Batch], object], on_finding: Callable[[Finding], object]
    ) -> None:
        self.on_batch, self.on_finding = on_batch, on_finding
        self.checks = [cls.model_validate({}) for cls in checks.values()]
        self.splits: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.labels: dict[str, int] = {}
        self.statistics = RowStatistics()
        self.numbers, self.lines = array("Q"), array("Q")

    def see(self, batch: Batch, lines: Sequence[int] = ()) -> None:
        """The next rows, and where they come from a file the line that each begins on."""
        self.numbers.extend(batch.numbers)
        self.lines.extend(lines)
        self.splits.update(batch.splits)
        for labels in batch.labels:
            for label in labels:
                if label in self.labels or len(self.labels) < COUNTED_CLASSES:
                    self.labels[label] = self.labels.get(label, 0) + 1
        self.statistics.add(batch)
        self.on_batch(batch)
        for check in self.checks:
            self.tell(check, check.see(batch))

    def finish(self) -> None:
        """After the last row: what shows only now."""
        for check in self.checks:
            self.tell(check, check.conclude())

    def report(self) -> Report:
        """What came of it, once all rows were seen."""
        rows = len(self.numbers)
        nothing = ReportError(
            code="no_rows",
            message="No row is left.",
            hint="Go back to the version before, and leave less out.",
        )
        return Report(
            status="ready" if rows else "invalid",
            error=None if rows else nothing,
            rows=rows,
            codes=dict(self.codes),
            labels=self.labels,
            splits=dict(self.splits),
            statistics=self.statistics.as_json(),
        )

    def tell(self, check: Check, found: Iterable[Issue]) -> None:
        for row, message, snippet, code, other in found:
            self.codes[code or check.name] += 1
            self.on_finding(
                Finding(
                    row=row,
                    line=self.line_of(row),
                    code=code or check.name,
                    message=shown(message, 400),
                    snippet=shown(snippet),
                    fix=check.advice,
                    level="warning",
                    other=other,
                )
            )

    def line_of(self, row: int | None) -> int | None:
        """The line of the file that record `row` begins on, where it came from a file."""
        if row is None:
            return None
        place = bisect_left(self.numbers, row)
        return self.lines[place] if place < len(self.lines) else None
