"""The API of what a run does before and after its training."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Run
from tests.jobs.api.test_runs import Script
from tests.jobs.lives import ended
from tests.jobs.runs import fresh, make_dataset, make_run


@pytest.fixture
def script(alice: User) -> Script:
    return Script(alice)


@pytest.fixture
def config(alice: User) -> dict[str, Any]:
    return {"model": {"name": "starter/chat"}, "data": {"dataset": make_dataset(alice).dataset_id}}


def test_a_run_waits_for_a_run_and_for_a_time(
    script: Script, alice: User, config: dict[str, Any]
) -> None:
    first = make_run(alice)
    soon = (timezone.now() + timedelta(hours=2)).isoformat().replace("+", "%2B")
    made = script.post(f"/runs?after={first.pk}&start_at={soon}", config).json()
    assert (made["status"], made["after"]) == ("queued", first.pk)
    place = script.get(f"/runs/{made['id']}").json()["queue"]
    assert (place["position"], place["held"]) == (None, False)
    assert f"Waits for run {first.pk}" in place["why"]
    assert "Starts not before" in place["why"]
    (shown,) = script.get("/queue").json()["later"]
    assert (shown["id"], shown["after"]) == (made["id"], first.pk)
    script.post(f"/runs/{made['id']}/after", {"run": None})
    script.post(f"/runs/{made['id']}/start_at", {"start_at": None})
    assert fresh(Run(pk=made["id"])).is_ready
    assert script.get(f"/runs/{made['id']}").json()["queue"]["position"] == 2


@pytest.mark.parametrize("start_at", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00", "soon"])
def test_a_time_needs_its_offset_and_is_to_come(
    script: Script, config: dict[str, Any], start_at: str
) -> None:
    assert script.post(f"/runs?start_at={start_at}", config).status_code == 422
    assert not Run.objects.exists()


def test_circles_are_refused_in_a_sentence(
    script: Script, alice: User, config: dict[str, Any]
) -> None:
    first = make_run(alice, is_ready=False, start_at=timezone.now() + timedelta(hours=1))
    second = script.post(f"/runs?after={first.pk}", config).json()["id"]
    answer = script.post(f"/runs/{first.pk}/after", {"run": second})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == (
        f"Run {first.pk} can't wait for run {second}, which waits for it: in a circle none would "
        "ever start."
    )
    assert script.client.delete(f"/api/v1/runs/{first.pk}").status_code == 409


def test_an_ended_run_goes_on_or_begins_again(script: Script, alice: User) -> None:
    run = ended(alice)
    said = script.post(f"/runs/{run.pk}/extend/preview", {"epochs": 1}).json()
    assert (said["step"], said["steps"]) == (6, 9)
    longer = script.post(f"/runs/{run.pk}/extend", {"num_train_epochs": 9})
    assert (longer.status_code, longer.json()["start_step"]) == (202, 6)
    assert longer.json()["config"]["training"]["num_train_epochs"] == 9
    for wrong in ({"num_train_epochs": -1}, {}, {"epochs": 1, "steps": 1}, {"max_steps": 6}):
        assert script.post(f"/runs/{run.pk}/extend", wrong).status_code == 422
    assert script.post(f"/runs/{run.pk}/retry").status_code == 409
    again = script.post(f"/runs/{run.pk}/retry", {"way": "anew"}).json()
    assert (again["copy_of"], again["start_step"]) == (run.pk, 0)


def test_a_model_goes_on_with_other_data(script: Script, alice: User) -> None:
    run, other = ended(alice), make_dataset(alice)
    changed = {"training": {"max_steps": 3}}
    body = {"dataset": other.dataset_id, "config": changed}
    made = script.post(f"/runs/{run.pk}/continue", body).json()
    assert (made["copy_of"], made["base_model"]) == (run.pk, run.model.pk)
    assert made["config"]["training"]["max_steps"] == 3
    body["config"] = {"training": {"max_stepz": 3}}
    assert script.post(f"/runs/{run.pk}/continue", body).status_code == 422


def test_the_queue_is_paused_by_its_owners_only(script: Script, ada: User) -> None:
    assert script.post("/queue/pause", {"kind": "cpu"}).status_code == 403
    owner = Script(ada)
    (pause,) = owner.post("/queue/pause", {"kind": "cpu", "why": "dust"}).json()["paused"]
    assert (pause["kind"], pause["by"], pause["why"]) == ("cpu", "ada", "dust")
    assert owner.post("/queue/resume", {"kind": "cpu"}).json()["paused"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("extend", {"epochs": 1}),
        ("extend/preview", {"epochs": 1}),
        ("continue", {"dataset": 1}),
        ("after", {"run": None}),
        ("start_at", {"start_at": None}),
    ],
)
def test_what_is_not_yours_is_not_there(
    alice: User, bob: User, path: str, body: dict[str, Any]
) -> None:
    run = ended(alice)
    assert Script(bob).post(f"/runs/{run.pk}/{path}", body).status_code == 404


def test_nobody_waits_for_a_run_of_somebody_else(
    alice: User, script: Script, bob: User, config: dict[str, Any]
) -> None:
    theirs = make_run(bob)
    assert script.post(f"/runs?after={theirs.pk}", config).status_code == 404
    own = make_run(alice, is_ready=False, start_at=timezone.now() + timedelta(hours=1))
    assert script.post(f"/runs/{own.pk}/after", {"run": theirs.pk}).status_code == 404
