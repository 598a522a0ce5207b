"""What a person may do with a run, and what is said where they may not."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.models import Run, Status
from jobs.services import attempts, runs
from jobs.services.ingest import record_events
from jobs.services.transitions import IllegalMoveError
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError
from tests.hosted import HostedConfig
from tests.jobs.runs import (
    begin,
    claimed,
    event,
    fresh,
    make_dataset,
    make_run,
    path_of,
    running,
    status_of,
)


def config(dataset: int | None, **sections: Any) -> RunConfig:
    whole = {"model": {"name": "starter/chat"}, "data": {"dataset": dataset}}
    return RunConfig.parse(whole | sections)


def paths(error: ConfigError) -> list[str]:
    return [problem.path for problem in error.problems]


@pytest.mark.django_db(transaction=True)
def test_a_new_run_is_queued(alice: User, queue: Any) -> None:
    version = make_dataset(alice)
    run = runs.create_run(owner=alice, config=config(version.dataset_id))
    assert (run.status, run.dataset, run.base_model.name) == ("queued", version, "starter/chat")
    assert run.name == f"{version.dataset.name} lora"
    assert path_of(run) == ["queued"]
    assert [(job.queue, job.args) for job in queue.jobs] == [("training", ())]


@pytest.mark.django_db(transaction=True)
def test_runs_can_be_told_apart_by_name(alice: User, bob: User, queue: Any) -> None:
    """Those without a name of their own, copies, and those whose name was typed again."""
    made = config(make_dataset(alice).dataset_id)
    first, second = (runs.create_run(owner=alice, config=made) for _ in range(2))
    assert second.name == f"{first.name} 2"
    copy = runs.create_run(owner=alice, config=second.parsed_config, copy_of=second)
    typed = runs.create_run(owner=alice, config=config(made.data.dataset, name=first.name))
    assert (copy.name, typed.name) == (f"{first.name} 3", f"{first.name} 4")
    theirs = runs.create_run(owner=bob, config=config(make_dataset(bob).dataset_id))
    assert theirs.name == first.name


def test_all_that_is_wrong_is_said_at_once(alice: User, bob: User) -> None:
    theirs = make_dataset(bob)
    wrong = config(theirs.dataset_id, model={"name": "/no/such/folder"})
    with pytest.raises(ConfigError) as caught:
        runs.create_run(owner=alice, config=wrong)
    assert paths(caught.value) == ["data.dataset", "model.name"]
    assert not Run.objects.exists()


@pytest.mark.parametrize("status", ["uploading", "checking", "needs_mapping", "invalid"])
def test_a_data_set_must_be_ready(alice: User, status: str) -> None:
    version = make_dataset(alice, status=status)
    with pytest.raises(ConfigError) as caught:
        runs.create_run(owner=alice, config=config(version.dataset_id))
    assert paths(caught.value) == ["data.dataset"]


def test_files_are_for_the_command_line(alice: User) -> None:
    version = make_dataset(alice)
    data = {"dataset": version.dataset_id, "train_file": "/etc/passwd"}
    with pytest.raises(ConfigError) as caught:
        runs.create_run(owner=alice, config=config(None, data=data))
    assert paths(caught.value) == ["data.train_file"]


def test_a_model_that_only_its_provider_knows_can_be_tuned(alice: User) -> None:
    version = make_dataset(alice, format={"name": "messages"})
    rest = {"provider": "hosted", "data": {"dataset": version.dataset_id}}
    hosted = HostedConfig.parse(rest | {"model": {"name": "ft:small-1:ours"}})
    run = runs.create_run(owner=alice, config=hosted)
    assert (run.base_model.name, run.base_model.size_bytes) == ("ft:small-1:ours", 0)
    assert run.config["task"] == "causal_lm"
    assert run.config["provider"] == {"name": "hosted", "suffix": ""}
    for name in ("starter/chat", "/etc"):
        with pytest.raises(ConfigError) as caught:
            runs.create_run(
                owner=alice, config=HostedConfig.parse(rest | {"model": {"name": name}})
            )
        assert [problem.path for problem in caught.value.problems] == ["model.name"]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.PAUSED])
def test_one_that_waits_is_cancelled_at_once(alice: User, status: Status) -> None:
    run = make_run(alice, status=status)
    runs.cancel_run(run=run, by=alice, save=False)
    assert status_of(run) == Status.CANCELLED


def test_one_at_work_is_told(alice: User) -> None:
    run = running(alice)
    runs.cancel_run(run=run, by=alice, save=True)
    assert (fresh(run).status, fresh(run).stop) == ("cancelling", "save")
    runs.cancel_run(run=run, by=alice, save=False)
    assert fresh(run).stop == "cancel"
    runs.cancel_run(run=run, by=alice, save=True)
    assert fresh(run).stop == "cancel"
    assert path_of(run) == ["starting", "running", "cancelling"]


def test_cancelling_twice_is_no_mistake(alice: User) -> None:
    run = make_run(alice, status=Status.CANCELLED)
    runs.cancel_run(run=run, by=alice, save=False)


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED])
def test_what_can_not_be_cancelled(alice: User, status: Status) -> None:
    run = make_run(alice, status=status)
    with pytest.raises(IllegalMoveError, match=f"is {status.label.lower()} and can't be stopped"):
        runs.cancel_run(run=run, by=alice, save=False)


def test_a_run_that_was_faster_has_succeeded(alice: User) -> None:
    """The trainer was done when the request came."""
    run = running(alice)
    runs.cancel_run(run=run, by=alice, save=False)
    record_events(run.pk, 1, [event(3, "succeeded", 6, metrics={})])
    assert status_of(run) == Status.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_pause_and_resume(alice: User, queue: Any) -> None:
    run = running(alice)
    runs.pause_run(run=run, by=alice)
    assert (fresh(run).status, fresh(run).stop) == ("pausing", "pause")
    record_events(run.pk, 1, [event(3, "stopped", 4, action="pause", saved=True)])
    runs.resume_run(run=run, by=alice)
    assert (fresh(run).status, fresh(run).stop) == ("queued", "")
    assert len(queue.jobs) == 1
    assert claimed(run).attempt == 2


def test_a_paused_run_is_no_poison_pill(alice: User) -> None:
    run = make_run(alice)
    for number in range(1, 6):
        claimed(run)
        record_events(run.pk, number, begin())
        runs.pause_run(run=run, by=alice)
        attempts.lose(run.pk, number, by="watchdog", why="Killed.")
        runs.resume_run(run=run, by=alice)
    assert status_of(run) == Status.QUEUED


@pytest.mark.parametrize("act", [runs.pause_run, runs.resume_run])
def test_an_ended_run_does_neither(alice: User, act: Any) -> None:
    run = make_run(alice, status=Status.FAILED)
    with pytest.raises(IllegalMoveError):
        act(run=run, by=alice)
