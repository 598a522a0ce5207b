"""The whole site, started by its one command, loses a process, or all of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pytest_django import DjangoDbBlocker

from tests.faults.conftest import use_site
from tests.faults.farm import (
    Farm,
    assert_whole,
    belongs_to,
    database,
    fresh,
    kill,
    story,
    wait_for_step,
    wait_until,
)
from tests.redis_server import RedisServer
from tests.site_process import Site, running_site

SLOWER = {"gradient_accumulation_steps": 4}
"""A site that users start has no pauses between steps."""


@pytest.fixture
def reference(farm: Farm) -> dict[int, float]:
    return farm.reference(**SLOWER)


@pytest.fixture
def folder(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> Iterator[Path]:
    """A data directory with a path short enough for a socket."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    use_site(settings, monkeypatch, data_dir, f"unix://{data_dir}/redis.sock?db=0")
    yield data_dir
    wait_until(lambda: not left_of(data_dir), "nothing is left running")


def left_of(folder: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if belongs_to(process, folder)]


def name_of(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:  # it has just died
        return ""


def process_of(site: Site, name: str) -> psutil.Process:
    def find() -> psutil.Process | None:
        below = psutil.Process(site.process.pid).children(recursive=True)
        return next((process for process in below if name_of(process) == name), None)

    found: psutil.Process = wait_until(find, f"{name} runs")
    return found


def test_everything_dies_and_later_is_stopped_at_work(
    reference: dict[int, float], folder: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """First the web process, which is started again; then all of it, with `up` itself. Started
    anew, the site is told to stop (`running_site` sends SIGTERM) and leaves in the time promised.
    """
    with (
        running_site(folder) as site,
        django_db_blocker.unblock(),
        database(folder / "db.sqlite3"),
    ):
        farm = Farm(folder, RedisServer(folder))
        run = farm.create_run(**SLOWER)
        wait_for_step(run, 5)
        web = process_of(site, "web")
        kill(web)
        wait_until(lambda: process_of(site, "web").pid != web.pid, "the web is up again")
        assert process_of(site, "web").parent() == process_of(site, "watchdog").parent()
        wait_for_step(run, 10)
        os.kill(site.process.pid, signal.SIGKILL)
        wait_until(lambda: not left_of(folder), "all of it is gone")
        assert fresh(run).attempt == 1, story(run)
    with (
        running_site(folder),
        django_db_blocker.unblock(),
        database(folder / "db.sqlite3"),
    ):
        assert_whole(farm, run, reference)
        assert fresh(run).attempt == 2, story(run)
        long = farm.create_run(max_steps=4000, **SLOWER)
        wait_for_step(long, 5)
    with django_db_blocker.unblock(), database(folder / "db.sqlite3"):
        assert (fresh(long).status, fresh(long).idle_attempts) == ("queued", 0), story(long)
        assert long.attempt_folder(1).checkpoints.is_dir()
        assert left_of(folder) == []
