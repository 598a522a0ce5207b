"""Rows of a dataset as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterator

from datasets_app.models import DatasetVersion
from maxaillm.dev.finetune.data.store.store import RowStore


def row_lines(version: DatasetVersion) -> Iterator[bytes]:
    """The rows that can be trained on, an object a line, a batch of lines at a time."""
    for batch in RowStore(version.rows_path).batches():
        lines = (json.dumps(example, ensure_ascii=False) + "\n" for example in batch.examples)
        yield "".join(lines).encode("utf-8", "replace")


def rows_name(version: DatasetVersion) -> str:
    return f"{version.dataset.name} v{version.number}.jsonl"
