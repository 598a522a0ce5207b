"""Checks: limits of the child, fencing of late ones, lost ones, capped findings."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rq.exceptions import NoSuchJobError
from rq.job import JobStatus

from datasets_app.checking import parent
from datasets_app.checking.parent import Outcome
from datasets_app.models import DatasetVersion, Finding
from datasets_app.selectors import code_counts, offset_of_row, ready_versions, rows_page
from datasets_app.services import (
    check_again,
    ensure_samples,
    import_dataset,
    record_check,
    requeue_lost_checks,
)
from datasets_app.tasks import check_version
from maxaillm.dev.finetune.data.store.store import RowStore
from maxaillm.dev.finetune.processes.file_lock import file_lock
from tests.conftest import FakeQueue
from tests.datasets_app.conftest import QUESTIONS, Importer
from tests.site_process import PATIENCE_SECONDS


@pytest.fixture
def waiting(alice: User, tmp_path: Path) -> DatasetVersion:
    path = tmp_path / "rows"
    path.write_text(QUESTIONS)
    return import_dataset(owner=alice, name="Waiting", file_name="q.jsonl", path=path)


def test_the_check_is_queued_under_its_own_name(waiting: DatasetVersion, queue: FakeQueue) -> None:
    (job,) = queue.jobs
    assert job.queue == "light"
    assert job.job_id == f"check-{waiting.pk}-1"
    assert job.args == (waiting.pk, 1)


def test_a_late_check_changes_nothing(waiting: DatasetVersion) -> None:
    late = DatasetVersion.objects.get(pk=waiting.pk)
    assert check_again(waiting)
    assert not record_check(version=late, outcome=Outcome(report={"status": "ready", "rows": 7}))
    check_version(late.pk, 1)  # its job comes late too
    waiting.refresh_from_db()
    assert (waiting.status, waiting.rows, waiting.check_number) == ("checking", 0, 2)


def test_a_check_begun_twice_runs_once(waiting: DatasetVersion) -> None:
    with file_lock(waiting.root / "check.lock"):
        check_version(waiting.pk, 1)
        waiting.refresh_from_db()
        assert waiting.is_checking
    check_version(waiting.pk, 1)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.rows) == ("ready", 25)


def test_a_new_check_replaces_rows_and_findings(upload: Importer, queue: FakeQueue) -> None:
    version = upload(QUESTIONS + "{oops\n", "q.jsonl")
    first = version.rows_path
    assert check_again(version)
    queue.work()
    version.refresh_from_db()
    assert version.rows_path == first  # the same rows, so the same file
    assert version.findings.filter(level="bad").count() == 1
    assert [path.name for path in version.root.iterdir()] == ["check.lock"]


@pytest.mark.parametrize(
    ("limit", "value", "code"),
    [("MEMORY_BYTES", 250 * 2**20, "too_complex"), ("CPU_SECONDS", 1, "too_slow")],
)
def test_a_child_over_its_limit_becomes_a_sentence(
    limit: str, value: int, code: str, upload: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent, "BYTES_A_SECOND", 10**12)
    monkeypatch.setattr(parent, limit, value)
    monkeypatch.setattr(parent, "WALL_FACTOR", PATIENCE_SECONDS)  # a busy machine may be slow
    rows = "".join(json.dumps({"prompt": f"q{i}", "completion": "a"}) + "\n" for i in range(40_000))
    version = upload(rows, "q.jsonl")
    assert version.status == "invalid"
    assert version.error["code"] == code
    assert version.error["message"]
    assert version.error["hint"]
    assert not list(version.root.glob("check-*"))


def test_findings_are_capped_and_counted_in_full(
    upload: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ['{"prompt": "q"}'] * 10_050 + ['{"prompt": "q", "completion": 1}'] * 200
    version = upload(QUESTIONS * 40 + "\n".join(lines), "q.jsonl")
    assert (version.rows, version.bad_rows) == (1000, 10_250)
    kinds = {kind.code: kind.total for kind in code_counts(version)}
    assert kinds == {"missing": 10_050, "wrong_type": 200, "duplicate": 975, "mixed_shapes": 1}
    assert version.findings.count() == 10_000 + 2 * 100 + 1


def test_a_broken_check_is_recorded_and_raised(
    waiting: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("datasets_app.services.checks.check_file", fail)
    with pytest.raises(RuntimeError):
        check_version(waiting.pk, 1)
    waiting.refresh_from_db()
    assert waiting.status == "invalid"
    assert waiting.error["code"] == "check_failed"


class FakeJob:
    def __init__(self, status: JobStatus, silent: timedelta) -> None:
        self.status, self.silent = status, silent

    @property
    def last_heartbeat(self) -> datetime:
        """So long ago now, however long the tests before this one took."""
        return timezone.now() - self.silent

    def get_status(self) -> JobStatus:
        return self.status


@pytest.mark.parametrize(
    ("job", "is_lost"),
    [
        (None, True),
        (FakeJob(JobStatus.QUEUED, timedelta(hours=1)), False),
        (FakeJob(JobStatus.STARTED, timedelta(seconds=20)), False),
        (FakeJob(JobStatus.STARTED, timedelta(minutes=5)), True),
        (FakeJob(JobStatus.FAILED, timedelta()), True),
    ],
)
def test_checks_without_a_living_job_are_queued_again(
    job: FakeJob | None,
    is_lost: bool,
    waiting: DatasetVersion,
    queue: FakeQueue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fetch(*_: Any, **__: Any) -> FakeJob:
        if job is None:
            raise NoSuchJobError
        return job

    monkeypatch.setattr("maxft_site.web.enqueue.Job.fetch", fetch)
    assert requeue_lost_checks() == is_lost
    waiting.refresh_from_db()
    assert waiting.check_number == 1 + is_lost
    assert queue.jobs[-1].job_id == f"check-{waiting.pk}-{1 + is_lost}"


def test_rows_are_read_by_place_and_by_number(upload: Importer) -> None:
    version = upload("{oops\n" + QUESTIONS, "q.jsonl")
    (row,) = rows_page(version, 24, 10)
    assert row.number == 26
    assert row.example["messages"][0] == {"role": "user", "content": "q25"}
    assert list(rows_page(version, 25, 10)) == []
    assert offset_of_row(version, 26) == 24
    assert list(RowStore(version.rows_path).page(24, 1)) == [row]


def test_the_sample_is_there_for_everybody_once(bob: User, queue: FakeQueue) -> None:
    first, again = ensure_samples(), ensure_samples()
    assert first == again
    assert (first.status, first.bad_rows) == ("ready", 0)
    assert list(ready_versions(bob)) == [first]
    queue.work()  # the queued check finds it done
    assert not Finding.objects.filter(level="bad").exists()


def test_a_new_sample_is_a_new_version(
    bob: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ensure_samples()
    newer = tmp_path / "guide.jsonl"
    newer.write_text(QUESTIONS)
    monkeypatch.setattr("datasets_app.services.samples.SAMPLE", newer)
    second = ensure_samples()
    assert (second.dataset, second.number, second.rows) == (first.dataset, 2, 25)
    assert ensure_samples() == second
