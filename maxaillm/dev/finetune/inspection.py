"""What accepted rows pass through on their way into a data set: gathered, stored, looked at."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable

from maxaillm.dev.finetune.checks import Check, Suspicion, checks
from maxaillm.dev.finetune.findings import Finding, Report, ReportError, shown
from maxaillm.dev.finetune.formats import Example
from maxaillm.dev.finetune.row_batch import Batch, StoredExample, chars_of

BATCH_ROWS = 10_000
BATCH_CHARS = 16 * 2**20
"""A batch of longer rows is smaller, for it lies in memory."""
COUNTED_CLASSES = 10_000
NO_LINE = 2**64 - 1


class Inspection:
    """The rows of one data set: passes them on in batches, and tells what deserves a look."""

    def __init__(
        self, on_batch: Callable[[Batch], object], on_finding: Callable[[Finding], object]
    ) -> None:
        self.on_batch, self.on_finding = on_batch, on_finding
        self.checks = [cls.model_validate({}) for cls in checks.values()]
        self.splits: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.labels: dict[str, int] = {}
        self.numbers, self.lines = array("Q"), array("Q")
        self.kind: type[Example] | None = None
        self.waiting: list[StoredExample] = []
        self.waiting_numbers: list[int] = []
        self.waiting_chars = 0

    def add(
        self, kind: type[Example], number: int, example: StoredExample, line: int | None
    ) -> None:
        """The next row. Its number is greater than the last one's; one data set has one kind."""
        self.kind = kind
        self.waiting_numbers.append(number)
        self.lines.append(NO_LINE if line is None else line)
        self.waiting.append(example)
        self.waiting_chars += chars_of(example)
        if len(self.waiting) == BATCH_ROWS or self.waiting_chars > BATCH_CHARS:
            self.pass_on()

    def pass_on(self) -> None:
        if self.kind is None or not self.waiting:
            return
        batch = Batch(self.kind, self.waiting_numbers, self.waiting)
        self.waiting, self.waiting_numbers, self.waiting_chars = [], [], 0
        self.see(batch)

    def see(self, batch: Batch) -> None:
        """The next rows, where they come as a batch."""
        self.numbers.extend(batch.numbers)
        self.splits.update(batch.splits)
        for labels in batch.labels:
            for label in labels:
                if label in self.labels or len(self.labels) < COUNTED_CLASSES:
                    self.labels[label] = self.labels.get(label, 0) + 1
        self.on_batch(batch)
        for check in self.checks:
            self.tell(check, check.see(batch))

    def finish(self) -> None:
        """After the last row: what shows only now."""
        self.pass_on()
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
        )

    def tell(self, check: Check, found: Iterable[Suspicion]) -> None:
        for row, message, snippet, code in found:
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
                )
            )

    def line_of(self, row: int | None) -> int | None:
        """The line of the file that record `row` begins on, where it came from a file."""
        if row is None:
            return None
        place = bisect_left(self.numbers, row)
        line = self.lines[place] if place < len(self.lines) else NO_LINE
        return None if line == NO_LINE else line
