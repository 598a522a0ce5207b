"""The rows of a version: read from a file, or made of rows that are stored. Knows no Django.

A task names its `parts`, files of rows or the one that was uploaded, and the `recipe`, if any.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets_app.storage.findings import flagged_rows
from maxaillm.dev.finetune.data.analysis.findings import Finding, Report
from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.data.readers import ReadOptions
from maxaillm.dev.finetune.data.reading.inspection import Inspection
from maxaillm.dev.finetune.data.reading.validate import validate
from maxaillm.dev.finetune.data.recipes.apply import in_words, remake
from maxaillm.dev.finetune.data.recipes.mix import Source, mix
from maxaillm.dev.finetune.data.recipes.recipe import recipe_of
from maxaillm.dev.finetune.data.store.batch import Batch
from maxaillm.dev.finetune.data.store.store import RowStore

CHANGE_CHARS = 300
OnBatch = Callable[[Batch], object]
OnFinding = Callable[[Finding], object]
OnProgress = Callable[[float], object]
LARGE_BYTES = 8 * 2**20
"""It takes longer to read than a second process takes to start."""
KINDS = {
    "csv": "CSV",
    "tsv": "TSV",
    "json": "JSON",
    "jsonl": "JSON Lines",
    "text": "Plain text",
    "spreadsheet": "Workbook",
    "parquet": "Parquet",
    "arrow": "Arrow",
    "conll": "Tagged words",
}
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def make_rows(
    task: dict[str, Any], on_batch: OnBatch, on_finding: OnFinding, on_progress: OnProgress
) -> dict[str, Any]:
    """Give every row and finding; what comes back are fields of a DatasetVersion."""
    recipe = task["recipe"]
    if recipe is None:
        return read_file(task, on_batch, on_finding, on_progress)
    if "times" in recipe:
        return join_parts(task, recipe, on_batch, on_finding, on_progress)
    rows = RowStore(Path(task["parts"][0]["path"]))
    return apply_fixes(task, recipe, rows, telling(on_batch, on_progress, len(rows)), on_finding)


def telling(on_batch: OnBatch, on_progress: OnProgress, rows: float) -> OnBatch:
    """`on_batch`, and how much of about so many rows is made."""

    def on_made(batch: Batch) -> None:
        on_batch(batch)
        on_progress(batch.numbers[-1] / max(1, rows))

    return on_made


def read_file(
    task: dict[str, Any], on_batch: OnBatch, on_finding: OnFinding, on_progress: OnProgress
) -> dict[str, Any]:
    chosen = task["format"] and formats[task["format"]["name"]].model_validate(task["format"])
    (part,) = task["parts"]
    path = Path(part["path"])
    report = validate(
        path,
        chosen,
        name=task["file_name"],
        options=ReadOptions(**task["reading"]),
        on_batch=on_batch,
        on_finding=on_finding,
        on_progress=on_progress,
        in_two_processes=sys.platform == "linux" and path.stat().st_size > LARGE_BYTES,
    )
    is_guess = report.status == "needs_mapping"
    fields = fields_of(report) | {
        "format": None if is_guess else report.format,
        "file_kind": written_as(report),
    }
    fields["facts"] |= {
        "is_plain_text": report.kind == "text",
        "guess": report.format if is_guess else None,
        "kind": report.kind,
        "read_as": report.options,
        "sheets": report.sheets,
    }
    return fields


def written_as(report: Report) -> str:
    words = KINDS.get(report.kind, report.kind)
    if report.delimiter and report.kind == "csv":
        words += f", cells between {DELIMITERS.get(report.delimiter, repr(report.delimiter))}"
    return words


def apply_fixes(
    task: dict[str, Any],
    recipe: dict[str, Any],
    rows: RowStore,
    on_batch: OnBatch,
    on_finding: OnFinding,
) -> dict[str, Any]:
    (part,) = task["parts"]
    codes = recipe.get("codes", ())
    report, outcome = remake(
        recipe_of(recipe["fixes"]),
        rows,
        on_batch=on_batch,
        on_finding=on_finding,
        flagged=flagged_rows(Path(part["findings"]), codes) if codes else (),
        only_flagged=recipe.get("only_flagged", False),
        locked=recipe["locked"],
    )
    return fields_of(report) | {"change": in_words(outcome)[:CHANGE_CHARS]}


def join_parts(
    task: dict[str, Any],
    recipe: dict[str, Any],
    on_batch: OnBatch,
    on_finding: OnFinding,
    on_progress: OnProgress,
) -> dict[str, Any]:
    """`recipe` has, by the id of each part, how often its rows are taken, and into which split."""
    sources = [
        Source(
            part["name"],
            RowStore(Path(part["path"])),
            recipe["times"][str(part["id"])],
            recipe["splits"].get(str(part["id"])),
        )
        for part in task["parts"]
    ]
    total = sum(source.times * len(source.store) for source in sources)
    rows = Inspection(telling(on_batch, on_progress, total), on_finding)
    taken = mix(
        sources,
        rows.see,
        seed=recipe["seed"],
        shuffle=recipe["shuffle"],
        locked=recipe["locked"],
        folder=Path(task["folder"]),
    )
    rows.finish()
    told = ", ".join(
        f"{count:,} of {source.name}" for count, source in zip(taken, sources, strict=True)
    )
    return fields_of(rows.report()) | {"change": f"Joined: {told}"[:CHANGE_CHARS]}


def fields_of(report: Report) -> dict[str, Any]:
    included = {"status", "error", "rows", "bad_rows", "columns", "sample", "encoding"}
    facts = report.model_dump(include={"labels", "splits", "statistics"})
    return {**report.model_dump(include=included), "facts": facts}
