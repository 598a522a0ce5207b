"""Extending a run and trying it again: from its last checkpoint, and as fits the cause."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.models import Run
from jobs.services.deletion import delete_run, purge_run
from jobs.services.lifecycle import extension, further, retry
from jobs.services.lifecycle.going_on import NoCheckpointError
from jobs.services.transitions import IllegalMoveError
from jobs.training.attempt_folder import make_folder, prepare
from maxaillm.dev.finetune.errors import ConfigError
from tests.jobs.lives import ended, leave_model
from tests.jobs.runs import STEPS, claimed, fresh, losses_of, make_dataset, make_run


def extended(run: Run, by: User, **length: Any) -> Run:
    return extension.extend_run(run=run, by=by, asked=extension.plan(run, **length))


def test_an_extension_is_whole_without_the_old_run(alice: User) -> None:
    """It has the old curve, and the checkpoint, when the old run is gone."""
    old = ended(alice)
    curve = losses_of(old)
    new = extended(old, alice, epochs=2)
    assert (new.status, new.copy_of, new.start_step, new.step) == ("queued", old, STEPS, STEPS)
    assert new.parsed_config.training.num_train_epochs == 4
    delete_run(run=old, by=alice)
    purge_run(run=fresh(old))
    assert losses_of(new) == curve
    run = claimed(new)
    make_folder(run)
    found = prepare(run)
    assert found.resume is not None
    assert (found.resume.step, found.damaged) == (STEPS, [])
    assert found.argv[-2] == "--resume"


def test_an_extension_is_extended(alice: User) -> None:
    new = extended(ended(alice), alice, steps=4)
    Run.objects.filter(pk=new.pk).update(status="cancelled")
    again = extended(fresh(new), alice, max_steps=30)
    assert (again.start_step, again.parsed_config.training.max_steps) == (STEPS, 30)


@pytest.mark.parametrize(
    ("length", "total"),
    [({"epochs": 1}, 9), ({"steps": 5}, 11), ({"num_train_epochs": 2.5}, 8), ({"max_steps": 7}, 7)],
)
def test_what_an_extension_would_do(alice: User, length: dict[str, Any], total: int) -> None:
    """The learning rate had fallen to nothing, and is that of a run of the new length."""
    asked = extension.plan(ended(alice), **length)
    assert (asked.step, asked.steps) == (STEPS, total)
    assert asked.rate_before == asked.rate_at_end == 0 < asked.rate
    assert "stretched" in asked.about_rate


def test_early_stopping_would_stop_it_again(alice: User) -> None:
    run = ended(alice, step=4, saved_at=4)
    run.config["training"]["early_stopping_patience"] = 3
    run.save()
    asked = extension.plan(run, epochs=1)
    assert asked.stops_no_more
    assert asked.config.training.early_stopping_patience is None


@pytest.mark.parametrize("length", [{"max_steps": STEPS}, {"num_train_epochs": 2}, {}])
def test_an_extension_is_longer(alice: User, length: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="it is extended to more"):
        extension.plan(ended(alice), **length)


def test_what_can_not_be_extended(alice: User) -> None:
    with pytest.raises(IllegalMoveError):
        extension.plan(make_run(alice), epochs=1)
    with pytest.raises(NoCheckpointError):
        extension.plan(ended(alice, saved_at=0), epochs=1)


def failed(owner: User, code: str, **more: Any) -> Run:
    return ended(owner, "failed", error={"code": code, "message": "No.", "hint": ""}, **more)


@pytest.mark.parametrize(
    ("code", "saved_at", "way"),
    [
        ("out_of_memory", 4, "smaller_batch"),
        ("poison_pill", 4, "checkpoint"),
        ("process_lost", 0, "anew"),
        ("data", 0, "dataset"),
        ("config", 4, "change"),
    ],
)
def test_the_remedy_fits_the_cause(alice: User, code: str, saved_at: int, way: str) -> None:
    run = failed(alice, code, saved_at=saved_at)
    assert retry.remedy_for(run).way == way
    again = retry.retry_run(run=run, by=alice)
    assert again.copy_of == run
    assert again.start_step == (saved_at if way == "checkpoint" else 0)


@pytest.mark.parametrize(("size", "steps"), [(4, 2), (5, 3), (2, 2)])
def test_a_smaller_batch_makes_the_same_steps(alice: User, size: int, steps: int) -> None:
    run = failed(alice, "out_of_memory")
    run.config["training"]["per_device_train_batch_size"] = size
    training = retry.retry_run(run=run, by=alice).parsed_config.training
    assert training.per_device_train_batch_size == size // 2
    assert training.gradient_accumulation_steps == steps
    assert training.per_device_train_batch_size * steps >= size


def test_a_finished_run_is_not_tried_again_by_accident(alice: User) -> None:
    run = ended(alice)
    with pytest.raises(IllegalMoveError, match=r"Run .* is finished and can't be tried again"):
        retry.retry_run(run=run, by=alice)
    assert retry.retry_run(run=run, by=alice, way="anew").config == run.config


def test_a_model_is_tuned_further_on_other_data(alice: User) -> None:
    run = ended(alice)
    other = make_dataset(alice)
    changes = {"training": {"learning_rate": 1e-5}}
    new = further.continue_run(run=run, by=alice, dataset=other.dataset, changes=changes)
    assert (new.base_model, new.dataset, new.copy_of) == (run.model, other, run)
    assert new.parsed_config.model.name == run.model.name
    assert new.parsed_config.training.learning_rate == 1e-5
    made = leave_model(new)
    assert made.base_source == str(new.attempt_folder(0).base)
    with pytest.raises(IllegalMoveError, match="can't be continued"):
        further.continue_run(run=make_run(alice), by=alice, dataset=other.dataset)
