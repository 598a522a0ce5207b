"""A site's real processes on a data directory of its own, one by one, to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from django.contrib.auth.models import User
from django.db import connections

from jobs.models import Run, Status
from jobs.services.runs import create_run
from jobs.training.fork_server import FORK_SERVER, listen
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.processes import engine_server
from tests import tiny
from tests.faults import paced_engine
from tests.jobs.runs import make_dataset
from tests.redis_server import RedisServer
from tests.site_process import PATIENCE_SECONDS, ROOT
from tests.stored_rows import stored_rows

STEPS = 40
SAVED_EVERY = 5


class Farm:
    """Redis, workers and watchdog of one data directory."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        self.folder, self.redis = folder, redis
        self.model = tiny.make_llama(folder.parent / "model")
        self.started: list[subprocess.Popen[bytes]] = []
        self.references: dict[str, dict[int, float]] = {}
        self.env = {**os.environ, "MAXFT_DATA_DIR": str(folder), "REDIS_URL": redis.url}
        self.env |= {"OMP_NUM_THREADS": "1", "MAXFT_STALL_SECONDS": "6", "TMPDIR": str(folder)}
        # Where one user alone has runs, none ever makes room.
        self.env |= {"DJANGO_SETTINGS_MODULE": "maxft_site.settings", "MAXFT_QUANTUM_SECONDS": "1"}

    def start_fork_server(self) -> None:
        """One for all workers, as `up` has; libraries are imported once for all tests."""
        address = self.folder / "w.sock"
        with listen(address) as listener:
            command = [sys.executable, "-m", paced_engine.__name__, str(listener.fileno())]
            self.started.append(
                subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env={**self.env, "PYTHONPATH": str(ROOT)},
                    pass_fds=[listener.fileno()],
                    start_new_session=True,
                )
            )
        self.env[FORK_SERVER] = str(address)

    def start(self, *command: str, **changes: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *command],
                cwd=ROOT,
                env={**self.env, **changes},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def is_up(self, *command: str) -> bool:
        alive = (p.args for p in self.started if p.poll() is None)
        return any(tuple(args[2 : 2 + len(command)]) == command for args in alive)

    def keep_up(self) -> None:
        """What `up` would do: fork server, watchdog and worker are there."""
        if not self.is_up(paced_engine.__name__):
            self.start_fork_server()
        for command in (("watchdog",), ("worker", "training")):
            if not self.is_up(*command):
                self.start(*command)

    def worker(self) -> subprocess.Popen[bytes]:
        return next(p for p in reversed(self.started) if "worker" in p.args and p.poll() is None)

    def close(self) -> None:
        for process in self.started:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
        wait_until(lambda: not self.processes(), "nothing is left running")

    def processes(self) -> list[psutil.Process]:
        """Every process of this site, also one that nobody looks after any more."""
        return [p for p in psutil.process_iter() if belongs_to(p, self.folder)]

    def trainer_of(self, run: Run) -> psutil.Process | None:
        root = str(run.attempt_folder(fresh(run).attempt).root)
        return next((p for p in self.processes() if folder_of(p) == root), None)

    def horse(self) -> psutil.Process:
        """The process that the worker has forked for its job."""
        children = psutil.Process(self.worker().pid).children()
        return next(child for child in children if engine_server.__name__ not in child.cmdline())

    def create_run(self, *, owner: str = "ann", **training: Any) -> Run:
        """A run of steps that take some hundredths of a second each, mostly of rest."""
        user, _ = User.objects.get_or_create(username=owner)
        rows = stored_rows(tiny.conversations(60))
        version = make_dataset(user, rows_sha256=rows)
        options = {
            "max_steps": STEPS,
            "save_steps": SAVED_EVERY,
            "eval_steps": 1000,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 1,
            "learning_rate": 1e-3,
        }
        config = {
            "name": "fault",
            "model": {"name": str(self.model)},
            "data": {"dataset": version.dataset_id, "max_length": 64, "packing": False},
            "training": options | training,
        }
        return create_run(owner=user, config=RunConfig.parse(config))

    def reference(self, **training: Any) -> dict[int, float]:
        """The losses of a run to which nothing happens."""
        key = str(training)
        if key not in self.references:
            run = wait_for(self.create_run(**training), Status.SUCCEEDED, Status.FAILED)
            assert run.status == Status.SUCCEEDED, run.error
            self.references[key] = losses(run)
            assert len(self.references[key]) == STEPS
        return self.references[key]


def belongs_to(process: psutil.Process, folder: Path) -> bool:
    try:
        place = process.cwd() if process.status() != psutil.STATUS_ZOMBIE else ""
        return place.startswith(str(folder)) or (
            process.environ().get("MAXFT_DATA_DIR") == str(folder) and bool(place)
        )
    except psutil.Error:
        return False


def folder_of(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except psutil.Error:
        return ""


@contextmanager
def database(path: Path) -> Iterator[None]:
    """Use the site's database file in place of the tests' own."""
    before = connections["default"]
    connection = connections.create_connection("default")
    connection.settings_dict = {**connection.settings_dict, "NAME": str(path)}
    connections["default"] = connection
    try:
        yield
    finally:
        connection.close()
        connections["default"] = before


def wait_until(condition: Callable[[], Any], what: str, *, every_seconds: float = 0.05) -> Any:
    """The first true value of `condition`."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(every_seconds)
    raise AssertionError(f"Not in {PATIENCE_SECONDS} s: {what}")


def fresh(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


def wait_for_step(run: Run, step: int) -> None:
    wait_until(lambda: fresh(run).step >= step or fresh(run).has_ended, f"step {step} of {run}")
    assert not fresh(run).has_ended, fresh(run).error


def wait_for(run: Run, *statuses: Status) -> Run:
    wait_until(lambda: fresh(run).status in statuses, f"{run} is one of {statuses}")
    return fresh(run)


def kill(process: psutil.Process | subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)


def losses(run: Run) -> dict[int, float]:
    rows = run.events.filter(kind="log").order_by("seq")
    return {row.step: row.data["loss"] for row in rows}


def story(run: Run) -> str:
    """What happened to a run, for the message of a failed test."""
    return "\n".join(
        f"{t.time:%X} {t.attempt} {t} by {t.by}: {t.why}" for t in run.transitions.order_by("pk")
    )


def assert_whole(farm: Farm, run: Run, reference: dict[int, float]) -> None:
    """One terminal state, every step once with the value of an unbroken run, nothing left over."""
    run = wait_for(run, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)
    assert run.status == Status.SUCCEEDED, run.error
    assert run.transitions.filter(to__in=["succeeded", "failed", "cancelled"]).count() == 1
    assert list(losses(run)) == sorted(losses(run)) == list(range(1, STEPS + 1))
    assert losses(run) == reference
    assert (run.step, run.total_steps) == (STEPS, STEPS)
    assert run.model.source == str(run.attempt_folder(run.attempt).model)
    assert_nothing_left(farm, run)


def assert_nothing_left(farm: Farm, run: Run) -> None:
    root = str(run.root)
    gone = lambda: not [p for p in farm.processes() if folder_of(p).startswith(root)]  # noqa: E731
    wait_until(gone, "no trainer is left")
    assert [path for path in run.root.rglob(".*") if path.is_file() or any(path.iterdir())] == []
    assert list(run.root.rglob("*.tmp")) == []
