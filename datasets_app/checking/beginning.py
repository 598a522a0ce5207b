"""A look at the beginning of a file, as a child process with limits: what the mapping page shows.

`python -m datasets_app.checking.beginning`. It loads no Django and is given no secret; the file is
as hostile as in a check.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from maxaillm.dev.finetune.data.analysis.findings import shown
from maxaillm.dev.finetune.data.formats import DataFormat, formats
from maxaillm.dev.finetune.data.readers import BadRecord, ReadOptions, Records, open_records
from maxaillm.dev.finetune.data.reading.recognition import NeedsMappingError, format_of
from maxaillm.dev.finetune.data.rows.values import Row, all_columns
from maxaillm.dev.finetune.errors import DataError, FineTuneError
from maxaillm.dev.finetune.processes.json_lines import emit, receive_task

SHOWN_ROWS = 5
SAMPLED_ROWS = 200
BEGINNING_BYTES = 2**20


def main() -> None:
    task = receive_task()
    try:
        emit("look", look(task))
    except FineTuneError as error:
        emit("error", error.as_json())
    except (MemoryError, RecursionError, SystemError):
        message = "The file needs too much memory to be looked at."
        hint = "Say how it is written, and check it."
        emit("error", {"code": "too_complex", "message": message, "hint": hint})


def look(task: dict[str, Any]) -> dict[str, Any]:
    """Columns, first rows, and what the chosen format makes of them, or the one they look like."""
    records = open_records(
        task["path"],
        name=task["file_name"],
        options=ReadOptions(**task["reading"]),
        most_bytes=BEGINNING_BYTES,
    )
    first = islice(records, SAMPLED_ROWS)
    rows = [record.row for record in first if not isinstance(record, BadRecord)]
    guess = guess_of(rows) if task["format"] is None else None
    looks_like = guess.model_dump() if guess is not None else None
    return {
        "columns": columns_of(records, rows),
        "sample": [
            {shown(name): shown(value) for name, value in row.items()} for row in rows[:SHOWN_ROWS]
        ],
        "file_kind": records.kind,
        "encoding": records.encoding,
        "read_as": records.options.given,
        "sheets": list(map(shown, records.sheets)),
        "rows": made_of(rows[:SHOWN_ROWS], task["format"] or looks_like),
        "guess": looks_like,
    }


def guess_of(rows: Sequence[Row]) -> DataFormat | None:
    """What the rows look like, however sure that is."""
    try:
        return format_of(rows) if rows else None
    except NeedsMappingError as error:
        return error.guess
    except DataError:
        return None


def shown_row(row: Row) -> dict[str, str]:
    return {shown(name): shown(value) for name, value in row.items()}


def columns_of(records: Records, rows: Sequence[Row]) -> list[str]:
    return [shown(name) for name in records.columns or all_columns(rows)]


def made_of(rows: Sequence[Row], chosen: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The examples that the format makes of these rows, or why it makes none."""
    if chosen is None:
        return []
    reader: DataFormat = formats[chosen["name"]].model_validate(chosen)
    unfold = reader.unfolder()
    made = (each for row in rows for each in unfold(row))
    return [outcome(reader, row) for row in islice(made, SHOWN_ROWS)]


def outcome(reader: DataFormat, row: Row) -> dict[str, Any]:
    problem = reader.check(row)
    if problem is not None:
        return {"problem": shown(problem.message, 400), "fix": shown(problem.fix, 400)}
    return {"example": reader.to_fields(row)}


if __name__ == "__main__":
    main()
