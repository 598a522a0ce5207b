"""What older releases stored of a check, JSON lines and findings, as the files that stay now.

Only the migration 0003 needs it: their rows become today's without another check, for runs were
trained on exactly these.
"""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from datasets_app.storage.findings import FindingsWriter
from maxaillm.dev.finetune.data.analysis.findings import Finding
from maxaillm.dev.finetune.data.examples import Example, StoredExample
from maxaillm.dev.finetune.data.formats import stored_format
from maxaillm.dev.finetune.data.store.buffer import BatchBuffer
from maxaillm.dev.finetune.data.store.store import RowWriter

ROWS, INDEX = "rows.jsonl", "rows.index"
ENTRY = struct.Struct("<QQ")
"""Of the index: where a row begins, and the number of its record."""
LOOKED_AT = 100
logger = logging.getLogger(__name__)


def convert_rows(check_folder: Path, path: Path) -> bool:
    """Write the rows of an older release to `path`; False where they are not there, or broken."""
    try:
        kind = kind_of(check_folder)
        if kind is None:
            return False
        with RowWriter(path) as store:
            rows = BatchBuffer(kind, lambda buffered: store.add(buffered.batch))
            for number, example in numbered(check_folder):
                rows.add(number, example, 0)
            rows.pass_on()
    except (ValueError, struct.error) as error:
        logger.warning("The rows in %s are broken: %s", check_folder, error)
        return False
    return True


def kind_of(check_folder: Path) -> type[Example] | None:
    if not all((check_folder / name).is_file() for name in (ROWS, INDEX)):
        return None
    first = [example for _, example in islice(numbered(check_folder), LOOKED_AT)]
    stored = stored_format(first)
    return stored.gives if stored is not None else None


def numbered(check_folder: Path) -> Iterator[tuple[int, StoredExample]]:
    """Each row with the number of its record."""
    with (check_folder / ROWS).open("rb") as rows, (check_folder / INDEX).open("rb") as index:
        for line in rows:
            _, number = ENTRY.unpack(index.read(ENTRY.size))
            yield number, json.loads(line)
        if index.read(1):
            raise ValueError("the last rows are missing")


def convert_findings(found: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write the findings that an older release kept in the database."""
    with FindingsWriter(path) as findings:
        for fields in found:
            findings.add(Finding.model_validate(fields))
