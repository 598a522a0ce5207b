"""One member can't take the queue from the others, and the superuser can stop what must be."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Run, Status
from tests.jobs.lives import ended
from tests.jobs.runs import make_run, running
from tests.security.conftest import by_key, config_of, post


def test_sixty_runs_at_once(alice: User, bob: User, starter: object, settings: Any) -> None:
    body, script = config_of(alice), by_key(alice)
    answers = [post(script, "/api/v1/runs", body) for _ in range(60)]
    made = [answer.status_code for answer in answers].count(201)
    assert made == alice.runs.count() == settings.MAX_WAITING_RUNS
    error = answers[-1].json()["error"]
    assert (answers[-1].status_code, error["code"]) == (429, "too_many_runs")
    assert error["hint"]
    assert post(by_key(bob), "/api/v1/runs", config_of(bob)).status_code == 201
    Run.objects.filter(owner=alice).first().delete()
    assert post(script, "/api/v1/runs", body).status_code == 201


def test_no_way_around_it(alice: User, starter: object, settings: Any) -> None:
    settings.MAX_WAITING_RUNS = 1
    paused, done = make_run(alice, status="paused"), ended(alice)
    script = by_key(alice)
    assert post(script, "/api/v1/runs", config_of(alice)).status_code == 201
    bodies = {
        f"{paused.pk}/resume": {},
        f"{done.pk}/retry": {"way": "anew"},
        f"{done.pk}/extend": {"num_train_epochs": 9},
        f"{done.pk}/continue": {"dataset": done.dataset.dataset_id},
    }
    for address, body in bodies.items():
        assert post(script, f"/api/v1/runs/{address}", body).status_code == 429, address
    assert Run.objects.get(pk=paused.pk).status == "paused"


def test_the_page_says_so_too(
    alice: User, alice_client: Client, starter: object, settings: Any
) -> None:
    settings.MAX_WAITING_RUNS = 0
    answer = alice_client.post("/runs/new/", {"yaml": json.dumps(config_of(alice))})
    assert answer.status_code == 429
    assert "Wait for one to end, or stop one." in answer.content.decode()


def test_the_superuser_sees_and_stops_what_others_run(alice: User, ada: User) -> None:
    working, waiting = running(alice), make_run(alice, name="of alice")
    client = Client()
    client.force_login(ada)
    page = client.get("/queue/").content.decode()
    assert f"Run {working.pk}" in page
    assert f"Run {waiting.pk}" in page
    assert "alice" in page
    assert client.get(f"/runs/{working.pk}/").status_code == 200
    for run in (working, waiting):
        assert client.post(f"/runs/{run.pk}/cancel/").status_code == 302
    states = set(Run.objects.values_list("status", flat=True))
    assert states == {Status.CANCELLING, Status.CANCELLED}
    assert {t.by for t in waiting.transitions.all()} == {"ada"}
    assert "of alice" not in client.get("/runs/").content.decode()  # the list is one's own


def test_another_member_sees_and_stops_nothing(alice: User, bob_client: Client) -> None:
    run = running(alice)
    assert f"Run {run.pk}" not in bob_client.get("/queue/").content.decode()
    assert bob_client.post(f"/runs/{run.pk}/cancel/").status_code == 404
