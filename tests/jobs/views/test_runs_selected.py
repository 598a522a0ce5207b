"""Several runs at once, and what their owner says of one: by page without a script, and by API."""

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.models import Run
from tests.jobs.runs import fresh, make_run, running, status_of

SELECTED = reverse("jobs:runs-selected")
BULK = "/api/v1/runs/bulk"


def said(client: Client, **data: object) -> str:
    return client.post(SELECTED, data, follow=True).text


def test_stop_says_for_which_it_could_not(alice_client: Client, alice: User) -> None:
    waiting, ended = make_run(alice), make_run(alice, status="succeeded")
    page = said(alice_client, run=[waiting.pk, ended.pk, 10**9], verb="stop", back="state=stopped")
    assert status_of(waiting) == "cancelled"
    assert "1 run stopped." in page
    assert f"Run {ended.pk} is finished and can&#x27;t be stopped." in page
    assert f"Run {10**9} is not there" in page
    assert f"choose-{waiting.pk}" in page  # the list is narrowed as it was
    assert f"choose-{ended.pk}" not in page


def test_all_that_match_are_chosen_beyond_the_page(alice_client: Client, alice: User) -> None:
    runs = [make_run(alice, name=f"wave {n}") for n in range(25)]
    other = make_run(alice, name="calm")
    page = alice_client.get(reverse("jobs:runs") + "?query=wave").text
    assert "All 25 that match" in page
    page = said(alice_client, all="yes", verb="stop", back="query=wave&page=2")
    assert "25 runs stopped." in page
    assert {status_of(run) for run in runs} == {"cancelled"}
    assert status_of(other) == "queued"
    asked = alice_client.post(SELECTED, {"all": "yes", "verb": "delete", "back": "query=wave"})
    assert "Delete 25 runs?" in asked.text


def test_an_owner_of_the_site_sorts_by_owner(
    alice_client: Client, bob_client: Client, alice: User, bob: User
) -> None:
    run, others = make_run(alice), make_run(bob)
    runs = reverse("jobs:runs")
    page = bob_client.get(f"{runs}?sort=owner").text
    assert "sort=-owner" not in page
    assert run.get_absolute_url() not in page
    alice.is_superuser = True
    alice.save()
    assert others.get_absolute_url() not in alice_client.get(runs).text
    page = alice_client.get(f"{runs}?sort=-owner").text
    assert page.index(others.get_absolute_url()) < page.index(run.get_absolute_url())
    page = alice_client.get(f"{runs}?sort=owner").text
    assert page.index(run.get_absolute_url()) < page.index(others.get_absolute_url())


def test_deleting_asks_first(alice_client: Client, alice: User) -> None:
    run, busy = make_run(alice, status="failed"), running(alice)
    asked = alice_client.post(SELECTED, {"run": [run.pk, busy.pk], "verb": "delete"})
    assert "Delete 2 runs?" in asked.text
    assert Run.objects.visible_to(alice).count() == 2
    page = said(alice_client, run=[run.pk, busy.pk], verb="delete", sure="yes")
    assert "1 run deleted." in page
    assert "at work: stop it first" in page
    assert list(Run.objects.visible_to(alice)) == [busy]


def test_what_is_no_choice_is_said(alice_client: Client, alice: User) -> None:
    assert "No run is chosen." in said(alice_client, verb="stop")
    run = make_run(alice)
    assert "can&#x27;t be done with runs" in said(alice_client, run=run.pk, verb="sell")
    assert "can&#x27;t be a tag" in said(alice_client, run=run.pk, verb="tag", tag=" ")


def test_others_runs_are_not_touched(bob_client: Client, alice: User) -> None:
    run = make_run(alice)
    assert f"Run {run.pk} is not there" in said(bob_client, run=run.pk, verb="tag", tag="mine")
    answer = bob_client.post(BULK, {"action": "stop", "runs": [run.pk]}, "application/json").json()
    assert (answer["done"], answer["refused"][0]["code"]) == ([], "not_found")
    assert status_of(run) == "queued"
    assert not run.tags.exists()


def test_the_api_does_the_same(alice_client: Client, alice: User) -> None:
    waiting, ended = make_run(alice), make_run(alice, status="succeeded")
    body = {"action": "tag", "runs": [waiting.pk, ended.pk], "tag": "Baseline"}
    assert alice_client.post(BULK, body, "application/json").json()["refused"] == []
    (first,) = alice_client.get(f"/api/v1/runs?query=tag:baseline+id={ended.pk}").json()["items"]
    assert first["tags"] == ["baseline"]
    body = {"action": "delete", "runs": [ended.pk]}
    assert alice_client.post(BULK, body, "application/json").json()["done"] == [ended.pk]


def test_name_notes_and_tags(alice_client: Client, alice: User) -> None:
    run = make_run(alice)
    data = {
        "name": " a better\nname ",
        "tags": "Best, two words,,best",
        "notes": "line 1\r\nline 2",
    }
    page = alice_client.post(reverse("jobs:run-describe", args=[run.pk]), data, follow=True).text
    assert "a better name" in page
    assert "line 1\nline 2" in page
    kept = fresh(run)
    assert (kept.name, kept.config["name"]) == ("a better name", "a better name")
    assert [tag.name for tag in kept.tags.all()] == ["best", "two words"]
    address = f"/api/v1/runs/{run.pk}"
    answer = alice_client.patch(address, {"tags": ["last"]}, "application/json").json()
    assert (answer["name"], answer["notes"], answer["tags"]) == (kept.name, kept.notes, ["last"])
    for wrong in ({"name": " "}, {"tags": ["a,b"]}, {"notes": "x" * 10_001}, {"tags": ["x" * 41]}):
        assert alice_client.patch(address, wrong, "application/json").status_code == 422
    shown = alice_client.get(address).json()
    assert shown.pop("queue")["position"] == 1
    assert shown == answer
