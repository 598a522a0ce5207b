"""A trainer that hangs is ended also before its first heartbeat, and while it still loads."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.models import Run
from jobs.training import engine_process, runner
from jobs.training.fork_server import FORK_SERVER
from jobs.training.runner import Runner
from tests.jobs.runs import claimed, fresh, make_dataset, make_run
from tests.real_data import ROOT

SILENT = "import time; time.sleep(600)"
LOADS = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from maxaillm.dev.finetune.run.attempt import Attempt
with Attempt(Path.cwd()) as attempt:
    attempt.emit("stage", name="load")
    time.sleep(600)
"""
"""Its heartbeat goes on, from a thread."""


@pytest.fixture
def handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def carried_out(run: Run, program: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run after one attempt, whose trainer is `program`."""
    start = engine_process.start_child

    def start_program(argv: list[str], **options: Any) -> Any:
        return start([sys.executable, "-c", program], **options)

    monkeypatch.delenv(FORK_SERVER, raising=False)
    monkeypatch.setattr(engine_process, "start_child", start_program)
    monkeypatch.setattr(runner, "DUMP_SECONDS", 0.1)
    Runner(claimed(run), "worker-1").carry_out()
    return fresh(run)


@pytest.fixture
def run(alice: User, handlers: None) -> Run:
    version = make_dataset(alice, rows=1, format={"name": "messages"})
    return make_run(alice, dataset=version)


def test_before_its_first_heartbeat(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "START_SECONDS", 0.5)
    ended = carried_out(run, SILENT, monkeypatch)
    assert ended.status == "queued"  # for another attempt, of which there are three
    assert "no heartbeat" in ended.waiting_for


def test_while_it_loads(run: Run, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.LOAD_SECONDS = 3
    ended = carried_out(run, LOADS, monkeypatch)
    assert ended.status == "queued"
    assert "not done with loading" in ended.waiting_for
