"""The client's commands on the life of runs and on the queue, each by the site's own API."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler

from jobs.models import QueuePause, Run
from maxft_client.cli import main
from maxft_site.web.models import ApiToken
from tests.jobs.lives import ended
from tests.jobs.runs import fresh, make_dataset, make_run, status_of


@pytest.fixture(autouse=True)
def signed_in(alice: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alice.is_superuser = True
    alice.save()
    monkeypatch.setenv("MAXFT_URL", "http://localhost")
    monkeypatch.setenv("MAXFT_TOKEN", ApiToken.issue(alice, "tests"))
    transport = httpx2.WSGITransport(app=WSGIHandler())
    monkeypatch.setattr(httpx2, "Client", partial(httpx2.Client, transport=transport))


@pytest.fixture
def file(alice: User, tmp_path: Path) -> Path:
    data = {"dataset": make_dataset(alice).dataset_id}
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump({"model": {"name": "starter/chat"}, "data": data}))
    return path


def newest() -> Run:
    return Run.objects.latest("pk")


def test_a_chain_starts_at_a_time(alice: User, file: Path) -> None:
    before = make_run(alice)
    soon = datetime.now(timezone(timedelta(hours=1))) + timedelta(hours=2)
    argv = ["runs", "start", str(file), "--name", "one", "--after", str(before.pk)]
    argv += ["--start-at", soon.isoformat(), "--then", str(file), "--then", str(file)]
    assert main(argv) == 0
    *_, first, second, third = Run.objects.order_by("pk")
    assert (first.name, first.after_id) == ("one", before.pk)
    assert first.start_at == soon
    assert (second.after_id, third.after_id) == (first.pk, second.pk)

    assert main(["runs", "after", "one", "--base"]) == 0
    assert main(["runs", "start-at", "one", "now"]) == 0
    first = fresh(first)
    assert (first.after_id, first.start_at, first.is_ready) == (None, None, True)
    assert main(["runs", "after", str(third.pk), "one"]) == 0
    assert fresh(third).after_id == first.pk
    assert main(["runs", "after", str(first.pk), str(third.pk)]) == 1  # a circle
    assert main(["runs", "start-at", "one", "soon"]) == 2


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        (["--epochs", "4"], 12), (["--steps", "9"], 9), (["--more-epochs", "1"], 9),
        (["--more-steps", "2"], 8),
    ],
)  # fmt: skip
def test_a_run_is_extended_by_any_length(
    alice: User, capsys: pytest.CaptureFixture[str], given: list[str], steps: int
) -> None:
    run = ended(alice)
    assert main(["runs", "extend", str(run.pk), *given, "--preview"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["steps"] == str(steps)
    assert newest() == run
    assert main(["runs", "extend", str(run.pk), *given]) == 0
    assert newest().copy_of == run
    assert main(["runs", "extend", str(run.pk), *given, "--steps", "99", "--epochs", "9"]) == 2


def test_what_has_ended_is_tried_again_and_trained_further(alice: User) -> None:
    error = {"code": "out_of_memory", "message": "Too large."}
    failed = ended(alice, "failed", error=error)
    assert main(["runs", "retry", str(failed.pk), "--way", "smaller_batch"]) == 0
    assert newest().config["training"]["gradient_accumulation_steps"] == 2
    done, other = ended(alice), make_dataset(alice).dataset
    argv = ["runs", "continue", str(done.pk), "--dataset", str(other.pk), "training.seed=7"]
    assert main(argv) == 0
    made = newest()
    assert made.config["training"]["seed"] == 7
    assert made.config["data"]["dataset"] == other.pk


def test_the_queue_is_ordered_and_paused(
    alice: User, bob: User, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [make_run(alice, name=name) for name in ("a", "b", "c")]

    def order(*argv: str) -> list[str]:
        assert main([*argv, "--json"]) == 0
        found: Any = yaml.safe_load(capsys.readouterr().out)
        return [row["name"] for row in found["waiting"]]

    assert order("queue") == ["a", "b", "c"]
    assert order("runs", "move", "c", "--before", "a") == ["c", "a", "b"]
    assert order("runs", "move", "c") == ["a", "b", "c"]
    assert order("runs", "first", "b")[0] == "b"
    assert order("runs", "first", "b", "--in-turn") == ["a", "b", "c"]
    assert main(["queue", "pause", "--kind", "cpu", "--why", "a new disk"]) == 0
    assert "a new disk" in capsys.readouterr().out
    assert main(["queue", "resume", "--kind", "cpu"]) == 0
    assert not QueuePause.objects.exists()
    assert main(["runs", "pause", "a"]) == 0
    assert status_of(runs[0]) == "paused"
