"""What an older release stored is there after the migration, also after one that was killed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from datasets_app.models import DatasetVersion
from datasets_app.storage import older_rows
from datasets_app.storage.findings import FindingsWriter, read_findings
from maxaillm.dev.finetune.data.store.store import RowStore

BEFORE = [("datasets_app", "0002_versions_of_versions")]
FILE = b"".join(b'{"prompt": "q%d", "completion": "a%d"}\n' % (n, n) for n in (1, 2, 3)) + b"{\n"
ROWS = [
    {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]}
    for n in (1, 2, 3)
]
BAD = {"row": 4, "line": 4, "code": "not_json", "message": "It ends too early.", "level": "bad"}


def stored_then(apps: Any, status: str, number: int, lines: bytes | None = None) -> Path:
    """A version as the older release wrote it; its folder."""
    dataset = apps.get_model("datasets_app", "Dataset").objects.create(name="old")
    version = apps.get_model("datasets_app", "DatasetVersion").objects.create(
        dataset=dataset,
        folder=uuid4(),
        status=status,
        check_number=number,
        file_name="old.jsonl",
        sha256=hashlib.sha256(FILE).hexdigest(),
    )
    version.findings.create(**BAD)
    root = Path(settings.DATASETS_DIR, str(version.folder))
    root.mkdir(parents=True)
    (root / "source").write_bytes(FILE)
    if lines is not None:
        check = root / f"check-{number}"
        check.mkdir()
        (check / older_rows.ROWS).write_bytes(lines)
        entries = (older_rows.ENTRY.pack(0, row) for row in (1, 2, 3))
        (check / older_rows.INDEX).write_bytes(b"".join(entries))
    return root


def migrate(to: list[tuple[str, str]]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(to)
    return executor.loader.project_state(to).apps


@pytest.fixture
def commits_at_once() -> None:
    """Here transactions do end, and with a failure too."""


@pytest.fixture
def today(transactional_db: None) -> Iterator[list[tuple[str, str]]]:
    """The newest migrations; the next test finds their tables."""
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    yield newest
    migrate(newest)


def test_an_older_release_leaves_rows_and_findings(
    monkeypatch: pytest.MonkeyPatch, today: list[tuple[str, str]]
) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    then = migrate(BEFORE)
    roots = [
        stored_then(then, "ready", 2, lines),
        stored_then(then, "ready", 1, lines[:-9]),
        stored_then(then, "ready", 1, lines[: lines.rindex(b"\n", 0, -1) + 1]),
        stored_then(then, "invalid", 1),
        stored_then(then, "checking", 1),
    ]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FindingsWriter, "__init__", interrupt)
        migrate(today)
    assert all((root / "source").exists() for root in roots)

    migrate(today)

    ready, broken, short, invalid, checking = DatasetVersion.objects.order_by("pk")
    assert [row.example for row in RowStore(ready.rows_path).page(0, 9)] == ROWS
    assert (ready.status, ready.check_number) == ("ready", 2)
    assert broken.status == short.status == "checking"  # read anew: no row is lost
    assert (invalid.status, checking.status, checking.findings_sha256) == (
        "invalid",
        "checking",
        "",
    )
    for version in (ready, broken, short, invalid):
        (finding,) = read_findings(version.findings_path)
        assert finding.items() >= BAD.items()
    assert ready.source_path.read_bytes() == FILE
    assert not [left for root in roots for left in root.iterdir()]


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt
