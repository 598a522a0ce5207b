"""Pages with many runs: p95 of each with 1,000 runs and 10 million metric points.

    python -m benchmarks.pages [--runs 1000] [--points 10000000] [--times 20] [--keep FOLDER]

It makes a database (SQLite) in a temporary folder: runs of all states with tags, among them one of
100,000 steps and 1,000 that wait; each step logs five metrics, and a point is one value of one.
Then it asks for each page through Django, middleware and templates included, and prints
median, 95th percentile, the processor's own time (which other programs do not lengthen), size and
queries. Nothing is cached between two requests but what the site itself keeps.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

LONG = 100_000
METRICS = 5
WAITING = 1000
MEASURED = {
    "eval_loss": 1.5, "learning_rate": 2e-4, "grad_norm": 1.0, "tokens_per_second": 1800,
    "memory_bytes": 2e9,
}  # fmt: skip
"""The newest values of a run's metrics: a page has a chart for each."""
TARGETS = {"500 queued by API": 200}
"""Milliseconds at the 95th percentile; 300 for what is not named."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="a folder for the database, made once")
    return parser.parse_args()


def make_site(runs: int, points: int) -> None:
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    owner = User.objects.create_user("anna", password="first light 1")
    make_runs(owner, runs)
    steps = max(1, (points // METRICS - LONG) // max(1, runs - 1))
    add_steps(steps)


def make_runs(owner: object, count: int) -> None:
    """`count` runs that have trained, and WAITING that wait."""
    from datetime import timedelta

    from django.utils import timezone

    from datasets_app.models import Dataset, DatasetVersion
    from jobs.models import LanguageModel, Run, RunTag
    from maxaillm.dev.finetune.config import RunConfig

    dataset = Dataset.objects.create(owner=owner, name="support replies")
    version = DatasetVersion.objects.create(dataset=dataset, status="ready", rows=12_480)
    base = LanguageModel.objects.create(name="starter/chat", kind="base")
    config = RunConfig.parse({"model": {"name": base.name}, "data": {"dataset": dataset.pk}})
    dump, now = config.model_dump(mode="json"), timezone.now()
    states = ["succeeded", "succeeded", "failed", "cancelled"]
    made = []
    for number in range(count + WAITING):
        waits = number >= count
        rate = 10 ** -(2 + number % 40 / 10)
        made.append(
            Run(
                owner=owner,
                name=f"run {number} of a long winter",
                config=dump | {"training": dump["training"] | {"learning_rate": rate}},
                dataset=version,
                base_model=base,
                status="queued" if waits else states[number % 4],
                queued_at=now,
                attempt=0 if waits else 1,
                started=None if waits else now - timedelta(hours=2, seconds=number),
                ended=None if waits else now - timedelta(hours=1),
                metrics={} if waits else MEASURED | {"loss": 1 + number / 1000},
            )
        )
    Run.objects.bulk_create(made, batch_size=500)
    tagged = Run.objects.exclude(status="queued")[:200]
    RunTag.objects.bulk_create(RunTag(run=run, name="best") for run in tagged)


def add_steps(steps: int) -> None:
    """Log rows of all runs that have trained, written by the database itself."""
    from django.db import connection

    from jobs.models import Run

    row = """
        WITH RECURSIVE n(step) AS (SELECT 1 UNION ALL SELECT step + 1 FROM n WHERE step < %s)
        INSERT INTO jobs_event (run_id, seq, attempt, kind, step, time, data, key)
        SELECT %s, step, 1, 'log', step, 1700000000.0 + step, json_object(
            'loss', 3.0 / (1 + step / 1000.0) + (step * 7919 %% 1000) / 2000.0,
            'learning_rate', 0.0002 * (1 - step / (%s + 1.0)),
            'grad_norm', 0.5 + (step * 104729 %% 1000) / 1000.0,
            'tokens_per_second', 1800 + step %% 97,
            'memory_bytes', 2000000000 + step %% 1000,
            'epoch', step / 1000.0, 'tokens', step * 512), 'log:' || step FROM n
    """
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")
        for place, pk in enumerate(
            Run.objects.exclude(status="queued").order_by("pk").values_list("pk", flat=True)
        ):
            length = LONG if place == 0 else steps
            cursor.execute(row, [length, pk, length])
            Run.objects.filter(pk=pk).update(step=length, total_steps=length, last_seq=length)


def addresses() -> dict[str, str]:
    from django.db.models import Max

    from jobs.models import Run

    ended = Run.objects.exclude(status="queued").order_by("pk")
    long, last = ended[0].pk, ended.aggregate(last=Max("pk"))["last"]
    ten = "&".join(f"run={run.pk}" for run in ended[1:11])
    return {
        "home": "/",
        "runs": "/runs/",
        "runs, sorted by loss": "/runs/?sort=loss",
        "runs, searched": "/runs/?query=lr>1e-4 method:lora loss<1.5 tag:best",
        "runs, queued": "/runs/?query=status:queued",
        "runs by API": "/api/v1/runs?limit=100",
        "500 queued by API": "/api/v1/runs?status=queued&limit=500",
        "queue": "/queue/",
        "run": f"/runs/{last}/",
        "run of 100,000 steps": f"/runs/{long}/",
        "its loss": f"/runs/{long}/charts/loss.json",
        "its loss, zoomed": f"/runs/{long}/charts/loss.json?low=40000&high=41000",
        "compare ten": f"/runs/compare/?{ten}",
        "loss of ten": f"/runs/compare/charts/loss.json?{ten}",
    }


def measure(times: int) -> None:
    from django.contrib.auth.models import User
    from django.db import connection, reset_queries
    from django.test import Client

    client = Client()
    client.force_login(User.objects.get(username="anna"))
    heads = ("p50 ms", "p95 ms", "target", "CPU ms", "kB", "queries")
    print(f"{'page':26} " + " ".join(f"{head:>8}" for head in heads))
    for name, address in addresses().items():
        client.get(address)  # imports and templates
        reset_queries()
        connection.force_debug_cursor = True
        answer = client.get(address)
        queries, size = len(connection.queries), len(answer.content)
        connection.force_debug_cursor = False
        assert answer.status_code == 200, (address, answer.status_code)
        seconds, busy = [], []
        for _ in range(times):
            began, worked = time.perf_counter(), time.process_time()
            client.get(address)
            seconds.append(1000 * (time.perf_counter() - began))
            busy.append(1000 * (time.process_time() - worked))
        p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
        work = statistics.median(busy)
        figures = (p50, p95, TARGETS.get(name, 300), work, size / 1000, queries)
        print(f"{name:26} " + " ".join(f"{figure:8.0f}" for figure in figures))


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory() as folder:
        place = asked.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        os.environ["MAXFT_DATA_DIR"] = str(place)
        os.environ["DJANGO_SETTINGS_MODULE"] = "maxft_site.settings"
        import django

        django.setup()
        from django.conf import settings

        settings.ALLOWED_HOSTS.append("testserver")
        if not (place / "made").exists():
            began = time.perf_counter()
            make_site(asked.runs, asked.points)
            (place / "made").touch()
            print(f"made in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        measure(asked.times)


if __name__ == "__main__":
    main()
