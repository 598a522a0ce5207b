"""The run doctor on the site: on the run's page while it trains and after, and in the API."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.services.attempts import claim
from jobs.services.ingest import record_events
from tests.jobs.runs import event, fresh, make_run, running

pytestmark = pytest.mark.django_db(transaction=True)
FINDING = {
    "code": "over_fitting",
    "level": "warn",
    "title": "Over-fitting since step 3",
    "explanation": "The validation loss rose.",
    "next_steps": [{"label": "Train for less long", "changes": {"training.max_steps": 3}}],
}
HINT = FINDING | {"code": "few_rows", "level": "note", "title": "Few rows: 20", "next_steps": []}


def test_findings_stand_on_the_page_and_in_the_api(alice_client: Client, alice: User) -> None:
    run = running(alice)
    part = f"/runs/{run.pk}/parts/advice/"
    assert "Doctor" not in alice_client.get(part).text
    record_events(run.pk, run.attempt, [event(10, "advice", findings=[FINDING, HINT])])
    shown = alice_client.get(part).text
    assert "1 warning, 1 hint" in shown
    assert f"/runs/new/?clone={run.pk}&amp;training.max_steps=3" in shown
    assert "Train for less long: 3, start again" in " ".join(shown.split())
    assert "Over-fitting since step 3" in alice_client.get(run.get_absolute_url()).text
    advice = alice_client.get(f"/api/v1/runs/{run.pk}").json()["advice"]
    assert [found["code"] for found in advice] == ["over_fitting", "few_rows"]


def test_what_was_seen_is_told_and_marked_on_its_chart(alice_client: Client, alice: User) -> None:
    seen = {"metric": "eval_loss", "first_step": 3, "last_step": 1200, "mark": "rises"}
    values = {"first_value": 2.01, "last_value": 2.5}
    spiked = {"metric": "loss", "first_step": 5, "last_step": 9, "steps": [5, 7, 8, 9]}
    found = [FINDING | {"evidence": seen | values}, HINT | {"evidence": spiked}, HINT]
    run = make_run(alice, findings=found)
    page = alice_client.get(f"/runs/{run.pk}/parts/advice/").text
    words = " ".join(re.sub("<[^>]*>", "", page).split())
    assert "Validation loss 2.01 → 2.5, steps 3 to 1,200" in words
    assert "Training loss, steps 5, 7, 8 and 1 more" in words
    assert page.count('href="#chart-loss"') == 2
    first, second = marks_of(page)
    assert (first["chart"], first["from"], first["to"], first["label"]) == (
        "loss", 3, 1200, "rises",
    )  # fmt: skip
    assert first["text"] == "Over-fitting since step 3: steps 3 to 1,200"
    assert second["steps"] == [5, 7, 8, 9]


def marks_of(page: str) -> list[dict[str, Any]]:
    [held] = re.findall('data-marks="([^"]*)"', page)
    marks: list[dict[str, Any]] = json.loads(html.unescape(held))
    return marks


def test_a_fix_opens_the_form_with_what_it_changes(alice_client: Client, alice: User) -> None:
    run = make_run(alice, findings=[FINDING])
    part = alice_client.get(f"/runs/{run.pk}/parts/advice/").text
    [address] = re.findall('href="(/runs/new/[^"]*)"', part)
    form = alice_client.get(html.unescape(address)).text
    words = " ".join(re.sub("<[^>]*>", "", form).split())
    assert re.search(f"As {run.name} ?, changed: Stop after .* 3 steps", words)
    plain = alice_client.get(f"/runs/new/?clone={run.pk}").text
    assert "nothing is changed yet" in plain


def test_newer_findings_take_the_place_of_older_ones(alice: User) -> None:
    run = running(alice)
    record_events(run.pk, run.attempt, [event(10, "advice", findings=[FINDING])])
    record_events(run.pk, run.attempt, [event(11, "advice", findings=[])])
    assert fresh(run).advice == []


def test_another_attempt_begins_without_findings(alice: User) -> None:
    run = make_run(alice, findings=[FINDING])
    assert claim(run.pk, worker="worker-1")
    assert fresh(run).advice == []
