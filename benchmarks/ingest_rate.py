"""Quick runs side by side: how long a logged step takes to the database.

    python -m benchmarks.ingest_rate [--runs 4] [--rate 50] [--seconds 60]

Trainers that do nothing but log write their journals at so many steps a second, each with five
metrics; real runners of the site, a process each, follow them into one SQLite database and tell
Redis. The lag of a step is from its log call to the end of the transaction that has it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.redis_server import running_redis

TARGET_SECONDS = 2.0


def log_steps(folder: str, rate: float, seconds: float) -> None:
    """The trainer: what a real one writes, and no training."""
    from maxaillm.dev.finetune.run.attempt import Attempt

    steps = round(rate * seconds)
    with Attempt(Path(folder)) as attempt:
        attempt.emit("stage", name="train", total_steps=steps)
        began = time.monotonic()
        for step in range(1, steps + 1):
            time.sleep(max(0.0, began + step / rate - time.monotonic()))
            metrics = {"learning_rate": 2e-4, "grad_norm": 1.0, "tokens_per_second": 1800.0}
            attempt.emit("log", step, loss=3 / step, memory_bytes=2_000_000_000, **metrics)
        attempt.emit("failed", code="benchmark", message="It only logs.")


def follow(place: str, run: int, rate: float, seconds: float) -> None:
    """A worker's part: claim the run and see it to its end; lags go to a file."""
    set_up(place)
    from unittest.mock import patch

    from jobs.services import attempts
    from jobs.services.ingest import record_events
    from jobs.training import engine_process, runner
    from maxaillm.dev.finetune.processes.child import start_child

    lags: list[float] = []

    class Logger(engine_process.EngineProcess):
        def start(self) -> subprocess.Popen[bytes]:
            asked = ["log", str(self.folder.root), str(rate), str(seconds)]
            return start_child(
                [sys.executable, "-m", "benchmarks.ingest_rate", *asked], env=self.env
            )

    def record(*given: Any) -> None:
        record_events(*given)
        now = time.time()
        lags.extend(now - event.time for event in given[-1] if event.kind == "log")

    claimed = attempts.claim(run, worker=f"benchmark-{run}")
    assert claimed is not None
    with (
        patch.object(runner, "EngineProcess", Logger),
        patch.object(runner, "record_events", record),
    ):
        runner.Runner(claimed, f"benchmark-{run}").carry_out()
    Path(place, f"lags-{run}.json").write_text(json.dumps(lags))


def set_up(place: str) -> None:
    os.environ |= {"MAXFT_DATA_DIR": place, "DJANGO_SETTINGS_MODULE": "maxft_site.settings"}
    import django

    django.setup()


def make_runs(count: int) -> list[int]:
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from tests.jobs.runs import make_run

    call_command("migrate", verbosity=0)
    owner = User.objects.create_user("anna")
    runs = [make_run(owner, name=f"quick {number}") for number in range(count)]
    for run in runs:
        path = run.dataset.training_path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return [run.pk for run in runs]


def main() -> None:
    if sys.argv[1:2] == ["log"]:
        folder, rate, seconds = sys.argv[2:]
        log_steps(folder, float(rate), float(seconds))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, running_redis() as redis:
        os.environ["REDIS_URL"] = redis.url
        set_up(place)
        runs = make_runs(asked.runs)
        context = multiprocessing.get_context("spawn")
        followers = [
            context.Process(target=follow, args=(place, run, asked.rate, asked.seconds))
            for run in runs
        ]
        for follower in followers:
            follower.start()
        for follower in followers:
            follower.join()
        lags = [
            lag for run in runs for lag in json.loads(Path(place, f"lags-{run}.json").read_text())
        ]
    expected = asked.runs * round(asked.rate * asked.seconds)
    p50, p95 = statistics.median(lags), statistics.quantiles(lags, n=20)[-1]
    print(f"log call to database  p50 {p50:.2f} s  p95 {p95:.2f} s  most {max(lags):.2f} s")
    print(f"target                p95 {TARGET_SECONDS:.2f} s")
    print(f"complete              {len(lags):,} of {expected:,} steps")


if __name__ == "__main__":
    main()
