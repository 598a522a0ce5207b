"""Verdicts on the site: what a run's page, lists, models and API say of its end."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Run
from jobs.services.ingest import record_events
from jobs.templatetags.runs import run_badge
from tests.jobs.runs import STEPS, event, fresh, running

pytestmark = pytest.mark.django_db(transaction=True)
COMPARISON = {
    "metric": "eval_loss", "label": "Validation loss", "is_share": False, "higher_is_better": False,
    "base": 2.0, "tuned": 1.5, "gain": 0.5, "low": 0.4, "high": 0.6, "rows": 40,
}  # fmt: skip
LOWER = {"label": "Lower the learning rate", "changes": {"training.learning_rate": 2e-5}}
VERDICTS: dict[str, dict[str, Any]] = {
    "diverged": {"level": "bad", "title": "Diverged: ruined", "next_steps": [LOWER]},
    "learned_nothing": {"level": "warn", "title": "Learned nothing", "next_steps": [LOWER]},
    "better": {"level": "ok", "title": "Better than its base", "comparison": COMPARISON},
    "undecided": {"level": "note", "title": "Too few rows to tell"},
}
WORST = 3.9e60


def ended(owner: User, code: str) -> Run:
    run = running(owner)
    verdict = {"code": code, "explanation": "Because of that.", **VERDICTS[code]}
    evaluations = [
        event(10 + step, "eval", step, eval_loss=7.0 + step, perplexity=WORST)
        for step in (0, STEPS)
    ]
    events = [*evaluations, event(30, "verdict", **verdict)]
    if code == "diverged":
        events.append(event(31, "failed", code="diverged", message="Ruined.", hint="Lower it."))
    else:
        events += [
            event(31, "stage", name="save"),
            event(32, "saved", folder="model", size_bytes=10, kind="adapter"),
            event(33, "succeeded", STEPS, metrics={"eval_loss": 7.0, "perplexity": WORST}),
        ]
    record_events(run.pk, run.attempt, events)
    return fresh(run)


def buttons(page: str) -> list[str]:
    """The words of the verdict's buttons, in their order."""
    foot = page[page.index('class="verdict-body"') :].split("</section>", maxsplit=1)[0]
    return [" ".join(word.split()) for word in re.findall(r"</svg>\s*([^<]+)</a>", foot)]


@pytest.mark.parametrize(
    ("code", "badge", "first"),
    [
        ("diverged", ("bad", "Diverged"), "Lower the learning rate: 2e-05, start again"),
        ("learned_nothing", ("warn", "Learned nothing"), "Lower the learning rate: 2e-05"),
        ("better", ("ok", "Finished"), "Chat with it"),
        ("undecided", ("", "Finished"), "Chat with it"),
    ],
)
def test_the_page_says_it_first_and_offers_what_helps(
    alice_client: Client, alice: User, code: str, badge: tuple[str, str], first: str
) -> None:
    run = ended(alice, code)
    page = alice_client.get(run.get_absolute_url()).text
    assert VERDICTS[code]["title"] in page
    assert buttons(page)[0].startswith(first)
    look = run_badge(run)
    assert (look["state"], look["word"]) == badge
    assert alice_client.get(f"/runs/{run.pk}/parts/verdict/").status_code == 200


def test_a_ruined_model_is_in_no_list_and_is_not_called_finished(
    alice_client: Client, alice: User
) -> None:
    run = ended(alice, "diverged")
    assert not hasattr(run, "model")
    rows = alice_client.get("/runs/").text
    assert "Diverged" in rows
    assert 'data-state="ok"' not in rows
    assert f"{run.pk} ·" in alice_client.get("/runs/?state=diverged").text
    assert f"{run.pk} ·" not in alice_client.get("/runs/?state=failed").text
    assert "Chat with" not in alice_client.get("/").text


def test_what_learned_nothing_is_not_the_chat_that_home_offers(
    alice_client: Client, alice: User
) -> None:
    better, nothing = ended(alice, "better"), ended(alice, "learned_nothing")
    home = alice_client.get("/").text
    assert f"model={better.model.pk}&amp;beside=base" in home
    assert f"model={nothing.model.pk}&amp;beside=base" not in home
    assert "Learned nothing" in alice_client.get("/models/").text


def test_a_model_that_nothing_was_measured_of_is_in_the_list(
    alice_client: Client, alice: User
) -> None:
    run = ended(alice, "undecided")
    run.model.metrics = {}
    run.model.save()
    assert run.model.name in alice_client.get("/models/").text


def test_the_api_has_the_verdict(alice_client: Client, alice: User) -> None:
    run = ended(alice, "better")
    shown = alice_client.get(f"/api/v1/runs/{run.pk}").json()
    assert shown["verdict"]["code"] == "better"
    assert shown["verdict"]["comparison"]["low"] == 0.4
    assert alice_client.get(f"/api/v1/runs/{running(alice).pk}").json()["verdict"] is None


def test_starting_again_is_the_same_form_with_the_change(alice_client: Client, alice: User) -> None:
    run = ended(alice, "diverged")
    page = alice_client.get(f"/runs/{run.pk}/").text
    link = re.search(r'href="(/runs/new/[^"]+learning_rate[^"]+)"', page)
    assert link
    form = alice_client.get(link[1].replace("&amp;", "&")).text
    assert re.search(r'name="training-learning_rate"[^>]*value="2e-05"', form)


def test_nothing_worse_than_the_base_is_the_best(alice_client: Client, alice: User) -> None:
    run = ended(alice, "diverged")
    page = alice_client.get(f"/runs/{run.pk}/").text
    assert "best-word" not in page
    assert "Best validation loss" not in page
    assert "base 7" in page


def test_no_number_makes_a_page_wider(alice_client: Client, alice: User) -> None:
    run = ended(alice, "learned_nothing")
    for address in (f"/runs/{run.pk}/", "/runs/", "/models/", f"/models/{run.model.pk}/", "/"):
        page = re.sub(r"<[^>]+>", " ", alice_client.get(address).text)
        assert not re.search(r"[\d,.]{20,}", page), address
    assert "3.9e60" in alice_client.get(f"/models/{run.model.pk}/").text


def test_only_what_may_end_better_is_tried_again(alice_client: Client, alice: User) -> None:
    for run in (ended(alice, "better"), ended(alice, "diverged")):
        assert f"/runs/{run.pk}/retry/" not in alice_client.get(run.get_absolute_url()).text
