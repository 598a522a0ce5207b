"""Journals become rows: each line once, each step once, nothing from an attempt that is over."""

import pytest
from django.contrib.auth.models import User

from jobs.models import LanguageModel, Run, Status
from jobs.services import attempts
from jobs.services.ingest import FencedError, record_events
from maxaillm.dev.finetune.run.events import Event
from tests.jobs.runs import (
    STEPS,
    begin,
    claimed,
    event,
    fresh,
    logs,
    loss,
    losses_of,
    make_run,
    path_of,
    running,
    status_of,
    success,
)

ALL = range(1, STEPS + 1)


def whole_journal() -> list[Event]:
    return [*begin(), *logs(3, ALL), *success(3 + STEPS)]


def test_a_whole_run(alice: User) -> None:
    run = claimed(make_run(alice))
    record_events(run.pk, 1, whole_journal())
    run = fresh(run)
    assert path_of(run) == ["starting", "running", "saving", "succeeded"]
    assert losses_of(run) == {step: loss(step) for step in ALL}
    assert (run.step, run.total_steps, run.phase) == (STEPS, STEPS, "save")
    assert run.metrics == {"loss": loss(STEPS), "eval_loss": 0.5}
    assert run.ended is not None
    assert [row.seq for row in run.events.all()] == list(range(1, run.last_seq + 1))


def test_the_model_of_a_run_gets_a_row(alice: User) -> None:
    run = claimed(make_run(alice))
    record_events(run.pk, 1, whole_journal())
    model = LanguageModel.objects.get(run=run)
    assert (model.owner, model.kind, model.base) == (alice, "adapter", run.base_model)
    assert model.source == str(run.attempt_folder(1).model)
    assert model.size_bytes == 10


@pytest.mark.parametrize("cut", range(1, 12))
def test_the_same_lines_again_change_nothing(alice: User, cut: int) -> None:
    run = claimed(make_run(alice))
    journal = whole_journal()
    record_events(run.pk, 1, journal[:cut])
    record_events(run.pk, 1, journal[:cut]) if cut < len(journal) else None
    if cut < len(journal):
        record_events(run.pk, 1, journal)
    assert losses_of(run) == {step: loss(step) for step in ALL}
    assert fresh(run).last_seq == run.events.count() == len(journal)


def test_a_resumed_run_has_every_step_once(alice: User) -> None:
    run = running(alice)
    wrong = [event(7, "log", 5, loss=9.0), event(8, "log", 6, loss=9.0)]
    record_events(run.pk, 1, [*logs(3, range(1, 5)), *wrong])
    attempts.lose(run.pk, 1, by="watchdog", why="Killed.")
    claimed(run)
    resumed = event(1, "resumed", 3, checkpoint="step-0000003")
    record_events(run.pk, 2, [resumed, *begin(2)])
    assert fresh(run).step == 3
    record_events(run.pk, 2, [*logs(4, range(4, 7)), *success(7)])
    assert losses_of(run) == {step: loss(step) for step in ALL}
    assert status_of(run) == Status.SUCCEEDED


def test_a_zombie_writes_nothing(alice: User) -> None:
    """An attempt that was given up for dead comes back beside its successor."""
    run = running(alice)
    record_events(run.pk, 1, logs(3, range(1, 4)))
    attempts.lose(run.pk, 1, by="watchdog", why="No sign of life.")
    zombie = [event(6, "log", step, loss=-1.0) for step in ALL]
    with pytest.raises(FencedError):
        record_events(run.pk, 1, zombie)
    claimed(run)
    for _ in range(3):
        with pytest.raises(FencedError):
            record_events(run.pk, 1, [*zombie, *success(13)])
    record_events(run.pk, 2, whole_journal())
    with pytest.raises(FencedError):
        record_events(run.pk, 1, zombie)
    assert losses_of(run) == {step: loss(step) for step in ALL}
    assert set(run.events.filter(kind="log").values_list("attempt", flat=True)) == {2}


def test_steps_that_only_a_lost_attempt_made_are_forgotten_at_the_end(alice: User) -> None:
    run = running(alice)
    record_events(run.pk, 1, logs(3, range(1, 7)))
    attempts.lose(run.pk, 1, by="watchdog", why="Killed.")
    claimed(run)
    Run.objects.filter(pk=run.pk).update(stop="save")
    stopped = event(5, "stopped", 4, action="save", saved=True)
    record_events(run.pk, 2, [*begin(), *logs(3, range(3, 5)), stopped])
    assert sorted(losses_of(run)) == [1, 2, 3, 4]
    assert status_of(run) == Status.CANCELLED


@pytest.mark.parametrize(
    ("action", "status"),
    [("cancel", "cancelled"), ("save", "cancelled"), ("pause", "paused"), ("release", "queued")],
)
def test_stops(alice: User, action: str, status: str) -> None:
    run = running(alice)
    stopped = event(3, "stopped", 2, action=action, saved=action != "cancel")
    record_events(run.pk, 1, [stopped])
    assert status_of(run) == status


def test_a_failure_keeps_its_words(alice: User) -> None:
    run = running(alice)
    words = {"code": "not_finite", "message": "loss became NaN at step 2", "hint": "Lower it."}
    record_events(run.pk, 1, [event(3, "failed", **words)])
    run = fresh(run)
    assert (run.status, run.error) == (Status.FAILED, words)


def test_a_full_disk_pauses(alice: User) -> None:
    run = running(alice)
    words = {"code": "disk_full", "message": "The disk is full.", "hint": "Free space."}
    record_events(run.pk, 1, [event(3, "failed", **words)])
    run = fresh(run)
    assert (run.status, run.waiting_for) == (Status.PAUSED, "The disk is full.")


def test_samples_of_a_step_are_kept_apart(alice: User) -> None:
    run = running(alice)
    answers = [event(3 + i, "sample", 0, prompt="?", answer=str(i), index=i) for i in range(3)]
    record_events(run.pk, 1, answers)
    assert run.events.filter(kind="sample", step=0).count() == 3


def test_remaining_time_is_counted_from_the_first_step(alice: User) -> None:
    run = running(alice)
    slow_first = [event(3, "log", 1, loss=1.0)]
    record_events(run.pk, 1, slow_first)
    assert fresh(run).seconds_left is None
    record_events(run.pk, 1, logs(4, range(2, 4)))
    assert fresh(run).seconds_left == pytest.approx(3.0)  # one second a step, three to go


def test_remaining_time_leaves_out_how_long_the_base_was_measured(alice: User) -> None:
    run = running(alice)
    record_events(run.pk, 1, [event(3, "log", 1, loss=1.0)])
    record_events(run.pk, 1, [event(53, "eval", 0, eval_loss=2.0), *logs(54, range(2, 4))])
    assert fresh(run).seconds_left == pytest.approx(3.0)


def test_a_null_metric_is_kept_as_null(alice: User) -> None:
    run = running(alice)
    record_events(run.pk, 1, [event(3, "log", 1, loss=None, not_finite=["loss"])])
    assert fresh(run).metrics == {"loss": None}


@pytest.mark.parametrize(
    "unknown",
    [
        event(3, "gpu_sensors_of_the_whole_machine", 1, celsius=71.5),
        event(3, "stage", name="a stage with a very long name"),
        event(3, "stopped", 2, action="migrate", saved=True),
        event(3, "saved", folder="model", size_bytes=10, kind="sharded"),
        event(3, "log", None, loss="low"),
    ],
    ids=lambda event: event.kind,
)
def test_what_a_newer_engine_says_is_kept_and_moves_nothing(alice: User, unknown: Event) -> None:
    run = running(alice)
    record_events(run.pk, 1, [unknown, event(4, "log", 1, loss=2.0, joules=9)])
    kept = run.events.get(kind=unknown.kind, data=unknown.data)
    assert kept.step == unknown.step
    run = fresh(run)
    assert (run.status, run.phase, run.step) == (Status.RUNNING, "train", 1)
    assert run.metrics == {"loss": 2.0, "joules": 9}
