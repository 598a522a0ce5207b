"""The queue: what runs, what waits, who works, what failed."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.training import workers
from jobs.views import queue as view
from tests.jobs.runs import make_run, running

QUEUE = reverse("jobs:queue")


@pytest.fixture(autouse=True)
def no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "workers_up", list)


def test_an_empty_queue_says_so(alice_client: Client) -> None:
    page = alice_client.get(QUEUE).text
    for words in ("Nothing runs.", "No run of yours waits.", "No run has failed.", "No worker"):
        assert words in page


def test_places_count_everybody_but_names_are_ones_own(
    alice_client: Client, alice: User, bob: User
) -> None:
    make_run(bob, name="of bob", queued_at=timezone.now())
    make_run(alice, name="of alice", queued_at=timezone.now())
    page = alice_client.get(QUEUE).text
    assert "of alice" in page
    assert "of bob" not in page
    assert "<b>2</b>" in page
    assert "1 run of other people waits too." in " ".join(page.split())


def test_what_runs_and_what_failed_is_shown(
    alice_client: Client, bob_client: Client, alice: User
) -> None:
    run = running(alice)
    failed = make_run(alice, name="broken", status="failed", error={"message": "No memory."})
    page = alice_client.get(QUEUE).text
    assert run.get_absolute_url() in page
    assert "No memory." in page
    assert reverse("jobs:run-retry", args=[failed.pk]) in page
    outsider = bob_client.get(QUEUE).text
    assert run.get_absolute_url() not in outsider
    assert "broken" not in outsider


def test_workers_are_named_with_their_state(
    alice_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = workers.WorkerRow("training-1", "training", "busy", "host", timezone.now())
    monkeypatch.setattr(view, "workers_up", lambda: [row])
    page = alice_client.get(QUEUE).text
    assert "training-1" in page
    assert "At work" in page


def test_a_dead_redis_is_told(alice_client: Client, settings: Any, tmp_path: Any) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/no.sock"
    assert workers.workers_up() is None


def test_htmx_gets_the_part_that_changes(alice_client: Client) -> None:
    part = alice_client.get(QUEUE, headers={"HX-Request": "true"}).text
    assert "<html" not in part


def test_the_next_hours_show_what_is_expected_where(
    alice_client: Client, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One's own runs by number, other people's as taken; nothing behind an unknown length."""
    monkeypatch.setattr(view, "devices_up", lambda _: {"cpu": 1})
    lengths = {"one": 1800.0, "two": 3600.0, "three": None, "four": 60.0}
    runs = {
        name: make_run(
            bob if name == "two" else alice, name=name, queued_at=timezone.now(),
            needed_seconds=length,
        )
        for name, length in lengths.items()
    }  # fmt: skip
    page = alice_client.get(QUEUE).text
    (summary,) = re.findall(r'aria-label="(CPU 1: [^"]*)"', page)
    parts = summary.removeprefix("CPU 1: ").split(", then ")
    assert parts[0] == f"run {runs['one'].pk} of alice now, makes room in 15 min"
    assert parts[1].startswith("a run of other people in 15 min, ")
    assert parts[2].startswith(f"run {runs['one'].pk} of alice again in 45 min, ")
    assert parts[-1].startswith(f"run {runs['three'].pk} of alice in ")
    assert parts[-1].endswith(", beyond these hours")
    assert f"run {runs['four'].pk} " not in summary
    assert f"run {runs['two'].pk} " not in page
