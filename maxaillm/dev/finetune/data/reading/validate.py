"""Validation of a data file: one pass, every row accepted or named with what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from maxaillm.dev.finetune.data.analysis.findings import Finding, Report, ReportError, shown
from maxaillm.dev.finetune.data.formats import DataFormat, Fields
from maxaillm.dev.finetune.data.formats.text import TextFormat
from maxaillm.dev.finetune.data.readers import (
    BadRecord,
    ReadOptions,
    Record,
    Records,
    open_records,
)
from maxaillm.dev.finetune.data.reading.amplification import Unfolded
from maxaillm.dev.finetune.data.reading.inspection import Inspection
from maxaillm.dev.finetune.data.reading.mixed_shapes import OtherShapes
from maxaillm.dev.finetune.data.reading.recognition import (
    NeedsMappingError,
    format_of,
    refuse_doubt,
    sample_of,
)
from maxaillm.dev.finetune.data.reading.unread import UnreadKeys
from maxaillm.dev.finetune.data.rows.splits import SplitColumn
from maxaillm.dev.finetune.data.rows.values import Row, all_columns
from maxaillm.dev.finetune.data.store.batch import Batch
from maxaillm.dev.finetune.data.store.buffer import BatchBuffer, BufferedBatch
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.processes.pipeline import run_in_child

SHOWN_ROWS = 20
KNOWN_ROWS = 200
"""So many rows show which shapes the format takes."""
UNREAD = TextFormat()
"""Stands for the format of a file whose records are all bad: it is never asked."""
MAX_COLUMNS = 1_000


def validate(  # noqa: PLR0913
    path: str | Path,
    format: DataFormat | None = None,
    *,
    name: str | None = None,
    options: ReadOptions | None = None,
    on_batch: Callable[[Batch], object] = lambda _batch: None,
    on_finding: Callable[[Finding], object] = lambda _finding: None,
    on_progress: Callable[[float], object] = lambda _share: None,
    in_two_processes: bool = False,
) -> Report:
    """Read the file at `path` once and tell of every row.

    `format` is the mapping that the owner chose; without it the format is recognised. `name` is
    what the owner called the file, `options` how they say it is written. `on_batch` gets the
    accepted rows, some thousand at a time; where the report says anything but "ready", what it got
    is of no use. `on_progress` gets the share of the file that is read. In two processes one reads
    while the other checks: see `pipeline.run_in_child`.
    """
    rows = Inspection(on_batch, on_finding)
    read = partial(read_rows, path, format, name, options)
    receivers = (lambda buffered: rows.see(*buffered)), on_finding, on_progress
    report = run_in_child(read, *receivers) if in_two_processes else read(*receivers)
    if report.status != "ready":
        return report
    rows.finish()
    codes = Counter(report.codes) + rows.codes
    seen = rows.report().model_dump(include={"labels", "splits", "statistics"})
    return report.model_copy(update=seen | {"codes": dict(codes)})


def read_rows(
    path: str | Path,
    format: DataFormat | None,
    name: str | None,
    options: ReadOptions | None,
    on_rows: Callable[[BufferedBatch], object],
    on_finding: Callable[[Finding], object],
    on_progress: Callable[[float], object],
) -> Report:
    """The half of `validate` that reads: accepted rows, and what is wrong with the others."""
    records: Records | None = None
    sample: list[Row] = []

    def pass_on(buffered: BufferedBatch) -> None:
        on_rows(buffered)
        if records is not None and records.progress is not None:
            on_progress(records.progress())

    try:
        records = open_records(path, name=name, options=options)
        sample = sample_of(records)
        refuse_doubt(records, sample, format)
        data_format = format or (format_of(sample) if sample else UNREAD)
        check = FileCheck(data_format, SplitColumn(sample), pass_on, on_finding)
        for note in records.notes:
            check.warn(None, None, *note)
        for record in records:
            check.see(record)
        for note in records.aside.notes():
            check.warn(None, None, *note)
        check.finish()
    except DataError as error:
        return report_of_error(error, records, sample)
    return check.report(records, sample)


class FileCheck:
    """The running count of one file."""

    def __init__(
        self,
        data_format: DataFormat,
        split_column: SplitColumn,
        on_rows: Callable[[BufferedBatch], object],
        on_finding: Callable[[Finding], object],
    ) -> None:
        self.format, self.split_column, self.on_finding = data_format, split_column, on_finding
        self.unfold = data_format.unfolder()
        self.others = OtherShapes(data_format)
        self.unread = UnreadKeys(data_format, split_column)
        self.rows = BatchBuffer(data_format.gives, on_rows)
        self.seen = self.bad_rows = 0
        self.codes: Counter[str] = Counter()
        self.columns: dict[str, None] = {}
        self.first_bad: Finding | None = None

    def see(self, record: Record | BadRecord) -> None:
        if isinstance(record, BadRecord):
            self.seen += 1
            line, code, message, snippet, fix = record
            self.tell_bad(line, code, message, snippet, fix)
            return
        row, line, notes = record
        if len(self.columns) < MAX_COLUMNS and not row.keys() <= self.columns.keys():
            self.columns.update(dict.fromkeys(row))
        for note in notes:
            self.warn(self.seen + 1, line, *note)
        self.unread.see(row)
        rows = Unfolded(row, self.unfold(row))
        for each in rows:
            rows.took(self.see_row(each, line) or each)
        if problem := rows.problem:
            self.seen += 1
            self.tell_bad(line, problem.code, problem.message, row, problem.fix)

    def see_row(self, row: Row, line: int) -> Fields | None:
        """What is learned of a row, if it is a good one."""
        self.seen += 1
        problem = self.format.check(row)
        if problem is not None:
            self.others.add(row, problem)
        elif self.seen <= KNOWN_ROWS:
            self.others.know(row)
        problem = problem or self.split_column.problem(row)
        if problem is not None:
            self.tell_bad(line, problem.code, problem.message, row, problem.fix)
            return None
        example = self.format.to_fields(row)
        if (split := self.split_column.of(row)) is not None:
            example["split"] = split
        self.rows.add(self.seen, example, line)
        return example

    def finish(self) -> None:
        """After the last record: what shows only now."""
        if (finding := self.others.finding(self.seen)) is not None:
            self.tell(finding)
        for finding in self.unread.findings() if self.seen > self.bad_rows else ():
            self.tell(finding)
        self.rows.pass_on()

    def warn(
        self, row: int | None, line: int | None, code: str, message: str, *, fix: str = ""
    ) -> None:
        words = shown(message, 400)
        self.tell(Finding(row=row, line=line, code=code, message=words, fix=fix, level="warning"))

    def tell_bad(self, line: int, code: str, message: str, content: object, fix: str) -> None:
        self.bad_rows += 1
        finding = Finding(
            row=self.seen,
            line=line,
            code=code,
            message=shown(message, 400),
            snippet=shown(content),
            fix=fix,
        )
        self.first_bad = self.first_bad or finding
        self.tell(finding)

    def tell(self, finding: Finding) -> None:
        self.codes[finding.code] += 1
        self.on_finding(finding)

    def report(self, records: Records, sample: Sequence[Row]) -> Report:
        rows = self.seen - self.bad_rows
        return Report(
            status="ready" if rows else "invalid",
            error=None if rows else self.no_good_rows(),
            format=self.format.model_dump(),
            rows=rows,
            bad_rows=self.bad_rows,
            codes=dict(self.codes),
            columns=[shown(column) for column in records.columns or self.columns],
            sample=shown_rows(sample),
            **as_read(records),
        )

    def no_good_rows(self) -> ReportError:
        first = self.first_bad
        assert first is not None  # open_records lets no file without records pass
        return ReportError(
            code="no_good_rows",
            message=f"None of the {self.seen:,} rows can be trained on. "
            f"Row {first.row}, line {first.line}: {first.message}",
            hint=first.fix or "Look at the findings.",
        )


def report_of_error(error: DataError, records: Records | None, sample: Sequence[Row]) -> Report:
    needs_mapping = isinstance(error, NeedsMappingError)
    guess = error.guess if isinstance(error, NeedsMappingError) else None
    candidates = error.candidates if isinstance(error, NeedsMappingError) else []
    return Report(
        status="needs_mapping" if needs_mapping else "invalid",
        error=ReportError(
            code=error.code, message=shown(error.message, 1_000), hint=shown(error.hint, 500)
        ),
        format=guess.model_dump() if guess is not None else None,
        candidates=[candidate.model_dump() for candidate in candidates],
        columns=[shown(column) for column in all_columns(sample)[:MAX_COLUMNS]],
        sample=shown_rows(sample),
        **(as_read(records) if records else {}),
    )


def as_read(records: Records) -> dict[str, Any]:
    """How the file is written, for the report."""
    return {
        "kind": records.kind,
        "encoding": records.encoding,
        "delimiter": records.delimiter,
        "options": records.options.given,
        "sheets": list(map(shown, records.sheets)),
    }


def shown_rows(sample: Sequence[Row]) -> list[dict[str, str]]:
    return [
        {shown(name): shown(value) for name, value in row.items()} for row in sample[:SHOWN_ROWS]
    ]
