"""Where real data lies, and short ways to write and read files in tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from maxaillm.dev.finetune.data.analysis.findings import Finding, Report
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.formats import DataFormat
from maxaillm.dev.finetune.data.readers import BadRecord, Record, open_records
from maxaillm.dev.finetune.data.reading.validate import validate
from maxaillm.dev.finetune.errors import DataError
from tests.real_data import TEST_DATA

REAL = TEST_DATA / "data"
NASTY = REAL / "nasty" / "derived"
needs_real_data = pytest.mark.skipif(
    not REAL.is_dir(), reason="needs the real files of MAXFT_TEST_DATA"
)


def real_files(folder: str, pattern: str = "*") -> list[Path]:
    return sorted(path for path in (REAL / folder).glob(pattern) if path.is_file())


def json_lines(rows: Iterable[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


class Outcome(NamedTuple):
    """What reading a file gave."""

    rows: list[dict[str, Any]]
    bad: list[BadRecord]


def read(path: Path) -> Outcome:
    records = list(open_records(path))
    return Outcome(
        [record.row for record in records if isinstance(record, Record)],
        [record for record in records if isinstance(record, BadRecord)],
    )


def count_of(path: Path) -> int:
    return sum(1 for _ in open_records(path))


def error_of(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path)
    return caught.value


class Checked(NamedTuple):
    """What checking a file gave."""

    report: Report
    examples: list[Example]
    findings: list[Finding]

    def of_code(self, code: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.code == code]


def check(path: Path, data_format: DataFormat | None = None) -> Checked:
    """Check the file; whatever the outcome, it can be stored as UTF-8 and adds up."""
    examples: list[Example] = []
    findings: list[Finding] = []
    report = validate(
        path,
        data_format,
        on_batch=lambda batch: examples.extend(map(batch.kind.model_validate, batch.examples)),
        on_finding=findings.append,
    )
    report.model_dump_json().encode()
    for part in (*examples, *findings):
        part.model_dump_json().encode()
    if report.status == "ready":
        assert len(examples) == report.rows
    assert sum(report.codes.values()) == len(findings) or report.status != "ready"
    assert all(len(finding.snippet) <= 200 for finding in findings)
    return Checked(report, examples, findings)
