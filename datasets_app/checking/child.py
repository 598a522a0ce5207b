"""The check of a file, as a child process with limits: `python -m datasets_app.checking.child`.

It loads no Django and is given no secret. It reads one task (JSON) from standard input, writes the
rows into a folder, and tells findings, progress and the report as JSON lines on standard output.
"""

from __future__ import annotations

import json
import resource
import sys
from collections import Counter
from importlib.abc import MetaPathFinder
from pathlib import Path
from time import monotonic
from typing import Any

from datasets_app.checking.make_rows import make_rows
from datasets_app.checking.protocol import limit, tell
from datasets_app.storage.findings import FindingsWriter
from maxaillm.dev.finetune.data.analysis.findings import Finding
from maxaillm.dev.finetune.data.store.store import RowWriter
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.processes.parent_death import end_with_parent

ROWS, FINDINGS = "rows", "findings"
"""The files that it leaves in its folder; without rows there is no file of them."""
STORED_FINDINGS = 10_000
STORED_A_CODE = 100
"""So many findings of each code are kept, even after others have used up the limit above."""
TELL_SECONDS = 0.5


def main() -> None:
    sys.meta_path.insert(0, NoPandas())
    import pyarrow.parquet  # noqa: F401  # before the limits: no file is to blame if it fails

    task = json.load(sys.stdin)
    end_with_parent(task["parent"])
    limit(resource.RLIMIT_AS, task["memory_bytes"])
    limit(resource.RLIMIT_CPU, task["cpu_seconds"])
    limit(resource.RLIMIT_CORE, 0)
    try:
        tell("report", check(task))
    except FineTuneError as error:
        tell("error", error.as_json())
    except (MemoryError, RecursionError):
        tell_error("too_complex", "The file needs more memory to be read than a check may take.")
    except OSError as error:
        tell_error("not_written", f"The rows could not be stored: {error.strerror}.")


class NoPandas(MetaPathFinder):
    """pyarrow loads pandas where it can: half of a small check's time, for nothing needed here."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ImportError("this process does without")


def check(task: dict[str, Any]) -> dict[str, Any]:
    """Fill the task's folder with rows and findings; gives the fields of a DatasetVersion."""
    folder = Path(task["folder"])
    folder.mkdir(mode=0o700)
    with RowWriter(folder / ROWS) as rows, FindingsWriter(folder / FINDINGS) as findings:
        listener = Listener()

        def take_down(finding: Finding) -> None:
            findings.add(finding)
            listener.tell_finding(finding)

        fields = make_rows(task, rows.add, take_down, listener.tell_progress)
    fields["warnings"] = listener.levels["warning"]
    fields["facts"]["findings"] = dict(listener.codes)
    return fields


class Listener:
    """Passes findings on, so many of each code, and now and then how far the reading is."""

    def __init__(self) -> None:
        self.told = monotonic()
        self.levels: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()

    def tell_finding(self, finding: Finding) -> None:
        stored = self.codes.total() < STORED_FINDINGS
        if stored or self.codes[finding.code] < STORED_A_CODE:
            tell("finding", finding.model_dump())
        self.codes[finding.code] += 1
        self.levels[finding.level] += 1

    def tell_progress(self, share: float) -> None:
        if monotonic() - self.told > TELL_SECONDS:
            self.told = monotonic()
            tell("progress", min(0.99, share))


def tell_error(code: str, message: str) -> None:
    hint = "Split the file into smaller ones, or free space, then check it again."
    tell("error", {"code": code, "message": message, "hint": hint})


if __name__ == "__main__":
    main()
