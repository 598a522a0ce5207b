"""The page of a run: history, state, charts, log, and what can be done with it."""

import json
import re
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.models import Event, Run
from jobs.run_page.states import ACTIONS
from jobs.services.ingest import record_events
from tests.jobs.pages import PAYLOADS, add_logs, is_text, trained
from tests.jobs.runs import event, make_run, running, status_of


def address(view: str, run: Run, *more: str) -> str:
    return reverse(f"jobs:{view}", args=[run.pk, *more])


PAGES = [
    ("run", ()),
    *(("run-part", (part,)) for part in ("header", "status", "results", "history")),
    ("run-chart", ("loss",)),
    ("run-csv", ("loss",)),
    ("run-table", ("loss",)),
    ("run-log", ()),
]


@pytest.mark.parametrize(("view", "more"), PAGES)
def test_pages_are_the_owners(
    alice_client: Client, bob_client: Client, alice: User, view: str, more: tuple[str, ...]
) -> None:
    run = trained(alice)
    assert alice_client.get(address(view, run, *more)).status_code == 200
    assert bob_client.get(address(view, run, *more)).status_code == 404


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.verb)
def test_an_outsider_can_do_nothing(bob_client: Client, alice: User, action: object) -> None:
    run = running(alice)
    before = status_of(run)
    assert bob_client.post(reverse(action.view, args=[run.pk])).status_code == 404
    assert status_of(run) == before


def test_looking_changes_nothing(alice_client: Client, alice: User) -> None:
    run = running(alice)
    for action in ACTIONS:
        assert alice_client.get(reverse(action.view, args=[run.pk])).status_code == 405


def test_the_page_tells_where_the_run_stands(alice_client: Client, alice: User) -> None:
    run = trained(alice)
    page = alice_client.get(address("run", run)).text
    for words in ("Training", "Step 6 of 6", "base says", "tuned says", "12.0 kB", "perplexity"):
        assert words.lower() in page.lower()
    assert f'data-seq="{run.last_seq}"' in page


def test_the_page_leads_to_the_run_in_its_tracker(alice_client: Client, alice: User) -> None:
    run = running(alice)
    there = "https://tracker.example/runs/7"
    told = [("MLflow", there), ("Trackio", ""), ("Comet", "javascript:alert(1)")]
    events = [event(9 + n, "tracked", tracker=t, address=a) for n, (t, a) in enumerate(told)]
    record_events(run.pk, run.attempt, events)
    page = alice_client.get(address("run", run)).text
    assert f'<a href="{there}" rel="noopener noreferrer">MLflow</a>' in page
    assert "reported to Trackio" in page
    header = alice_client.get(address("run-part", run, "header")).text
    assert there in header
    assert 'href="javascript' not in page


def test_a_failed_run_says_why_and_what_next(alice_client: Client, alice: User) -> None:
    error = {"code": "not_finite", "message": "The loss is no number.", "hint": "Lower the rate."}
    run = make_run(alice, status="failed", error=error)
    page = alice_client.get(address("run", run)).text
    assert "The loss is no number." in page
    assert "Lower the rate." in page
    assert reverse("jobs:run-retry", args=[run.pk]) in page


def test_only_what_makes_sense_is_offered(alice_client: Client, alice: User) -> None:
    queued = alice_client.get(address("run", make_run(alice))).text
    assert "Pause" in queued
    assert "Stop and save" not in queued
    failed = alice_client.get(address("run", make_run(alice, status="failed"))).text
    assert "Retry" in failed
    assert "Stop…" not in failed


def test_stopping_asks_the_trainer(alice_client: Client, alice: User) -> None:
    run = running(alice)
    answer = alice_client.post(address("run-save", run))
    assert answer.url == run.get_absolute_url()
    run.refresh_from_db()
    assert (run.status, run.stop) == ("cancelling", "save")


@pytest.mark.parametrize(("to", "word"), [("succeeded", "Finished"), ("cancelled", "Stopped")])
def test_its_history_says_the_end_as_the_badge_does(
    alice_client: Client, alice: User, to: str, word: str
) -> None:
    run = make_run(alice, status=to)
    run.transitions.create(to=to, attempt=1, by="trainer")
    page = alice_client.get(f"/runs/{run.pk}/").content.decode()
    assert f"<b>{word}</b>" in page
    assert to.capitalize() not in page


def test_an_illegal_move_is_a_sentence(alice_client: Client, alice: User) -> None:
    run = make_run(alice, status="succeeded")
    answer = alice_client.post(address("run-pause", run))
    assert answer.status_code == 409
    assert "Only a run that waits or trains can." in answer.text


def test_retry_goes_to_the_new_run(alice_client: Client, alice: User) -> None:
    run = make_run(alice, status="cancelled")
    answer = alice_client.post(address("run-retry", run))
    again = Run.objects.get(copy_of=run)
    assert answer.url == again.get_absolute_url()


def test_a_deleted_run_is_gone(alice_client: Client, alice: User) -> None:
    run = make_run(alice, status="cancelled")
    assert alice_client.post(address("run-delete", run)).url.startswith(reverse("jobs:runs"))
    assert alice_client.get(address("run", run)).status_code == 404


def test_a_figure_holds_the_history_and_its_gaps(alice_client: Client, alice: User) -> None:
    run = make_run(alice)
    add_logs(run, [3.0, None, 2.0])
    answer = alice_client.get(address("run-chart", run, "loss"))
    training, validation = json.loads(answer.content, parse_constant=pytest.fail)["data"]
    assert training["x"] == [1, 2, 3]
    assert training["y"] == [3.0, None, 2.0]
    assert training["customdata"][0] == [0.1, 1, 1001.0]
    assert training["line"]["color"] == "var(--series-1)"
    assert validation["x"] == []


def test_every_chart_of_the_page_is_drawn(alice_client: Client, alice: User) -> None:
    run = trained(alice)
    run.config["evaluation"] = {"metrics": ["answers_right"]}
    run.save()
    page = alice_client.get(run.get_absolute_url()).text
    addresses = re.findall(r'data-url="([^"]+)"', page)
    assert [address.split("/")[-1] for address in addresses] == [
        "loss.json",
        "learning_rate.json",
        "grad_norm.json",
        "tokens_per_second.json",
        "memory_bytes.json",
        "answers_right.json",
    ]
    for address in addresses:
        drawn = json.loads(alice_client.get(address).content, parse_constant=pytest.fail)
        assert drawn["data"] and drawn["layout"]["yaxis"]


def test_an_unknown_chart_or_part_is_not_found(alice_client: Client, alice: User) -> None:
    run = make_run(alice)
    assert alice_client.get(address("run-chart", run, "no_such")).status_code == 404
    assert alice_client.get(address("run-part", run, "no_such")).status_code == 404


def test_numbers_come_as_csv(alice_client: Client, alice: User) -> None:
    run = make_run(alice)
    add_logs(run, [3.0, None])
    answer = alice_client.get(address("run-csv", run, "loss"))
    header, first, second = answer.text.splitlines()
    assert header == '"metric","step","value","epoch","tokens","time"'
    assert first == '"loss","1","3.0","0.1","1","1001.0"'
    assert second.startswith('"loss","2","",')
    assert "attachment" in answer["Content-Disposition"]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_names_answers_and_log_lines_stay_text(
    alice_client: Client, alice: User, payload: str
) -> None:
    run = trained(alice)
    Run.objects.filter(pk=run.pk).update(name=payload, error={"message": payload, "hint": payload})
    run.events.filter(kind="sample").update(data={"prompt": payload, "answer": payload, "index": 0})
    folder = run.attempt_folder(run.attempt)
    folder.log.write_text(f"\x1b[31m{payload}\x1b[0m\n")
    assert is_text(alice_client.get(address("run", run)), payload)
    assert is_text(alice_client.get(address("run-log", run)), payload)
    assert "\x1b" not in alice_client.get(address("run-log", run)).text


def test_a_metric_is_shown_beside_the_base_models(alice_client: Client, alice: User) -> None:
    run = trained(alice)
    run.events.filter(kind="eval").delete()
    run.config["evaluation"] = {"metrics": ["answers_right"]}
    run.save()
    told = partial(Event.objects.create, run=run, attempt=1, kind="eval", time=1.0)
    told(seq=9001, step=0, key="eval:0", data={"answers_right": 0.25})
    page = alice_client.get(run.get_absolute_url()).content.decode()
    assert "base 25 %" not in page
    told(seq=9002, step=9, key="eval:9", data={"answers_right": 0.75})
    page = alice_client.get(run.get_absolute_url()).content.decode()
    assert "base 25 %" in page
