"""Datasets made in a test, and the folder with real files where there is one."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from datasets_app.checking import child
from datasets_app.checking.parent import Outcome
from datasets_app.models import DatasetVersion
from datasets_app.services import import_dataset
from tests.conftest import FakeQueue

Importer = Callable[..., DatasetVersion]
QUESTIONS = "".join(f'{{"prompt": "q{i}", "completion": "a{i}"}}\n' for i in range(1, 26))


@pytest.fixture(autouse=True)
def each_test_has_its_site(own_site: None) -> None: ...


@pytest.fixture(autouse=True)
def commits_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a commit happens, though the test's own transaction never commits."""
    monkeypatch.setattr("django.db.transaction.on_commit", lambda enqueue: enqueue())


@pytest.fixture
def upload(alice: User, queue: FakeQueue, tmp_path: Path) -> Importer:
    """`upload(content, name)`: Alice's file, imported and checked."""

    def do(content: str | bytes = QUESTIONS, name: str = "questions.jsonl") -> DatasetVersion:
        path = tmp_path / "incoming"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        version = import_dataset(owner=alice, name="", file_name=name, path=path)
        queue.work()
        version.refresh_from_db()
        return version

    return do


@pytest.fixture
def checked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks run in this process: quicker, where the child's limits don't matter."""

    def check_file(task: dict[str, Any], on_progress: Callable[[float], bool]) -> Outcome:
        outcome = Outcome()
        receivers = {"finding": outcome.findings.append, "progress": on_progress}
        for kind in ("report", "error"):
            receivers[kind] = partial(setattr, outcome, kind)
        child.carry_out(task, lambda kind, content: receivers[kind](content))
        return outcome

    monkeypatch.setattr("datasets_app.services.checks.check_file", check_file)


@pytest.fixture
def real_data() -> Path:
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("MAXFT_TEST_DATA") or root.parent / "shared") / "data"
    if not folder.is_dir():
        pytest.skip("needs the real files of MAXFT_TEST_DATA")
    return folder
