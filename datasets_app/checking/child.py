"""The check of a file, as a child process with limits: `python -m datasets_app.checking.child`.

It loads no Django and is given no secret. It receives one task, writes the rows into a folder, and
emits findings, progress and the report.
"""

from __future__ import annotations

import sys
from collections import Counter
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from datasets_app.checking.make_rows import make_rows
from datasets_app.storage.findings import FindingsWriter
from maxaillm.dev.finetune.data.analysis.findings import Finding
from maxaillm.dev.finetune.data.store.store import RowWriter
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.processes.json_lines import (
    Emit,
    ProgressEmitter,
    emit,
    receive_task,
)

ROWS, FINDINGS = "rows", "findings"
"""The files that it leaves in its folder; without rows there is no file of them."""
OUT_OF_MEMORY = (MemoryError, RecursionError, SystemError)
"""The last is what is left where a library in C fails without saying why: it had no memory."""
HINT = "Split the file into smaller ones, or free space, then check it again."
STORED_FINDINGS = 10_000
STORED_A_CODE = 100
"""So many findings of each code are kept, even after others have used up the limit above."""


def main() -> None:
    sys.meta_path.insert(0, NoPandas())
    import pyarrow.parquet  # noqa: F401  # before the limits: no file is to blame if it fails

    carry_out(receive_task())


def carry_out(task: dict[str, Any], emit: Emit = emit) -> None:
    """Emit the report of a check, or why there is none."""
    try:
        emit("report", check(task, emit))
    except FineTuneError as error:
        emit("error", error.as_json())
    except OUT_OF_MEMORY:
        message = "The file needs more memory to be read than a check may take."
        emit("error", {"code": "too_complex", "message": message, "hint": HINT})
    except OSError as error:
        message = f"The rows could not be stored: {error.strerror}."
        emit("error", {"code": "not_written", "message": message, "hint": HINT})


class NoPandas(MetaPathFinder):
    """pyarrow loads pandas where it can: half of a small check's time, for nothing needed here."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ImportError("this process does without")


def check(task: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Fill the task's folder with rows and findings; gives the fields of a DatasetVersion."""
    folder = Path(task["folder"])
    folder.mkdir(mode=0o700)
    progress = ProgressEmitter(emit)
    with RowWriter(folder / ROWS) as rows, FindingsWriter(folder / FINDINGS) as findings:
        emitter = FindingEmitter(emit)

        def on_finding(finding: Finding) -> None:
            findings.add(finding)
            emitter.emit(finding)

        fields = make_rows(
            task, rows.add, on_finding, lambda share: progress.emit(min(0.99, share))
        )
    fields["warnings"] = emitter.levels["warning"]
    fields["facts"]["findings"] = dict(emitter.codes)
    return fields


class FindingEmitter:
    """Emits findings, so many of each code, and counts them all."""

    def __init__(self, emit: Emit) -> None:
        self.emit_line = emit
        self.levels: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()

    def emit(self, finding: Finding) -> None:
        stored = self.codes.total() < STORED_FINDINGS
        if stored or self.codes[finding.code] < STORED_A_CODE:
            self.emit_line("finding", finding.model_dump())
        self.codes[finding.code] += 1
        self.levels[finding.level] += 1


if __name__ == "__main__":
    main()
