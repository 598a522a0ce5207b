"""The order of the queue by page and API: own runs, two at once, what a superuser puts first."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import DeviceAccount, Run
from jobs.services.queue import accounts, claims, forecast
from jobs.services.queue import order as queue_order
from jobs.services.queue.order import own_order
from jobs.views import queue as view
from tests.conftest import signed_in
from tests.jobs.runs import claimed, fresh, make_run

API = "/api/v1"


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs.api import queue as api

    for module in (view, api):
        monkeypatch.setattr(module, "workers_up", list)
        monkeypatch.setattr(module, "devices_up", lambda _: {"cpu": 1})


def waiting(owner: User, number: int, **columns: Any) -> list[Run]:
    return [make_run(owner, queued_at=timezone.now(), **columns) for _ in range(number)]


def send(client: Client, verb: str, address: str, **body: Any) -> Any:
    return getattr(client, verb)(f"{API}{address}", body, content_type="application/json")


def test_a_run_is_moved_by_buttons_without_a_script(alice_client: Client, alice: User) -> None:
    first, second, third = (run.pk for run in waiting(alice, 3))

    def press(run: int, **fields: Any) -> None:
        version = queue_order.version_of(own_order(alice))
        answer = alice_client.post("/queue/move/", {"run": run, "version": version, **fields})
        assert answer.status_code == 302

    press(third, to="up")
    assert own_order(alice) == [first, third, second]
    press(first, to="down")
    assert own_order(alice) == [third, first, second]
    press(third, to="up")
    assert own_order(alice) == [third, first, second]
    press(second, before=third)
    assert own_order(alice) == [second, third, first]
    press(second, before="")
    assert own_order(alice) == [third, first, second]
    assert (claims.claim_next(worker="w", kind="cpu") or make_run(alice)).pk == third


def test_of_two_who_move_at_once_one_is_told(alice_client: Client, alice: User) -> None:
    runs = [run.pk for run in waiting(alice, 3)]
    seen = alice_client.get(f"{API}/queue").json()["version"]
    order = {"runs": runs[::-1], "version": seen}
    assert send(alice_client, "put", "/queue/order", **order).status_code == 200
    late = send(alice_client, "put", "/queue/order", runs=runs, version=seen)
    assert late.status_code == 409
    assert late.json()["error"]["code"] == "stale_order"
    assert own_order(alice) == runs[::-1]
    page = alice_client.post(
        "/queue/move/", {"run": runs[0], "to": "up", "version": seen}, follow=True
    )
    assert "has changed since you looked at it, so nothing was moved" in page.text
    assert own_order(alice) == runs[::-1]


@pytest.mark.parametrize("wrong", ["fewer", "twice", "foreign", "gone"])
def test_an_order_that_is_not_of_ones_waiting_runs_is_refused(
    alice_client: Client, alice: User, bob: User, wrong: str
) -> None:
    runs = [run.pk for run in waiting(alice, 3)]
    version = queue_order.version_of(runs)
    sent = {
        "fewer": runs[:2],
        "twice": [*runs[:2], runs[0]],
        "foreign": [*runs[:2], waiting(bob, 1)[0].pk],
        "gone": runs,
    }[wrong]
    if wrong == "gone":
        claimed(fresh(Run(pk=runs[0])))
    answer = send(alice_client, "put", "/queue/order", runs=sent, version=version)
    assert answer.status_code == 409
    assert own_order(alice) == [pk for pk in runs if wrong != "gone" or pk != runs[0]]


def test_a_superuser_puts_a_run_first_and_back(alice: User, bob: User, ada: User) -> None:
    DeviceAccount.objects.create(user=bob, kind="cpu", virtual=9000)
    DeviceAccount.objects.create(user=alice, kind="cpu", virtual=0)
    of_alice, of_bob = waiting(alice, 1)[0], waiting(bob, 1)[0]
    owner = signed_in(ada)
    address = f"/runs/{of_bob.pk}/priority"
    assert send(signed_in(bob), "post", address, first=True).status_code == 403
    assert signed_in(bob).post("/queue/first/", {"run": of_bob.pk}).status_code == 403
    assert claims.next_in_turn("cpu") and fresh(of_bob).priority == 0
    answer = send(owner, "post", address, first=True).json()
    assert [run["id"] for run in answer["waiting"]] == [of_bob.pk, of_alice.pk]
    assert owner.post("/queue/first/", {"run": of_bob.pk, "first": "0"}).status_code == 302
    assert fresh(of_bob).priority == 0


def test_each_waiting_run_says_why_and_when(
    alice: User, bob: User, alice_client: Client, settings: Any
) -> None:
    settings.QUANTUM_SECONDS = 0
    at_work = make_run(alice, status="running", device_kind="cpu", seconds_left=600.0)
    DeviceAccount.objects.create(user=alice, kind="cpu", virtual=7200, device_seconds=7200)
    DeviceAccount.objects.create(user=bob, kind="cpu", virtual=0)
    theirs = waiting(bob, 2, needed_seconds=300.0, name="secret name")
    first, second = waiting(alice, 2, needed_seconds=60.0)
    state = alice_client.get(f"{API}/queue").json()
    assert state["lanes"] == [
        {
            "name": "CPU", "kind": "cpu", "workers": 1, "others": 0,
            "running": [{"id": at_work.pk, "name": "first"}],
        }
    ]  # fmt: skip
    assert [row["id"] for row in state["waiting"]] == [first.pk, second.pk]
    assert [row["position"] for row in state["waiting"]] == [3, 4]
    assert state["others"] == 2
    assert state["waiting"][0]["why"] == (
        "2 runs come first: its owner has had 2 h more of the CPU than those who are next."
    )
    assert state["waiting"][1]["why"] == "Waits behind 1 run of its owner."
    found = forecast.foretell({"cpu": 1})
    now = timezone.now()
    seconds = [(found[run.pk].start - now).total_seconds() for run in [*theirs, first, second]]  # type: ignore[operator]
    assert seconds == pytest.approx([600, 900, 1200, 1260], abs=5)
    page = alice_client.get("/queue/").text
    assert "2 runs of other people wait too." in " ".join(page.split())
    assert "secret name" not in page
    assert [share["user"] for share in state["shares"]] == ["alice"]
    assert state["shares"][0]["received"] == 7200
    assert state["shares"][0]["entitled"] == 3600


def test_a_pause_is_foretold_too(alice: User, bob: User, settings: Any) -> None:
    """The run at work makes room, and starts again itself: it does not count among the waiting."""
    settings.QUANTUM_SECONDS = 100
    make_run(alice, status="running", device_kind="cpu", seconds_left=5000.0)
    DeviceAccount.objects.create(user=alice, kind="cpu", virtual=7200)
    theirs, later = waiting(bob, 2, needed_seconds=30.0)
    found = forecast.foretell({"cpu": 1})
    assert [found[run.pk].place for run in (theirs, later)] == [1, 2]
    now = timezone.now()
    starts = [found[run.pk].start for run in (theirs, later)]
    seconds = [(start - now).total_seconds() for start in starts if start]
    assert seconds == pytest.approx([100, 130], abs=5)


def test_no_time_is_foretold_behind_a_run_of_unknown_length(alice: User, bob: User) -> None:
    make_run(bob, status="running", device_kind="cpu")
    run = waiting(alice, 1, needed_seconds=60.0)[0]
    expected = forecast.foretell({"cpu": 1})[run.pk]
    assert (expected.place, expected.start) == (1, None)
    assert expected.why == "Next: it starts as soon as a device is free."


@pytest.mark.parametrize(
    ("devices", "words"), [(None, "can't be reached"), ({}, "No worker for it is up")]
)
def test_it_says_that_nobody_works(alice: User, devices: Any, words: str) -> None:
    run = waiting(alice, 1, needed_seconds=60.0)[0]
    expected = forecast.foretell(devices)[run.pk]
    assert expected.start is None
    assert words in expected.why


def test_it_says_that_a_cap_is_reached(alice: User, settings: Any) -> None:
    settings.MAX_RUNNING_RUNS = 1
    make_run(alice, status="running", device_kind="cpu")
    run = waiting(alice, 1)[0]
    assert "as many as one may" in forecast.foretell({"cpu": 2})[run.pk].why


def test_the_lists_queries_do_not_grow_with_it(
    alice: User, bob: User, ada: User, django_assert_max_num_queries: Any
) -> None:
    for owner in (alice, bob):
        waiting(owner, 20)
    client = signed_in(ada)
    with django_assert_max_num_queries(45):
        page = client.get("/queue/").text
    assert page.count('class="queue-item"') == 40


def test_the_watchdog_asks_how_long_a_run_will_take(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.training import watchdog

    first, second = waiting(alice, 2)
    asked: list[int] = []
    monkeypatch.setattr(watchdog, "note_length", lambda run: asked.append(run.pk))
    watcher = watchdog.Watchdog()
    watcher.estimate_waiting_runs()
    watcher.estimate_waiting_runs()
    assert asked == [first.pk, second.pk]


def test_what_a_run_needed_when_it_left_is_known_while_it_waits(alice: User) -> None:
    run = claimed(make_run(alice))
    Run.objects.filter(pk=run.pk).update(seconds_left=77.0, status="running")
    from jobs.services import attempts

    attempts.release(run.pk, 1, by="worker", why="It rests.")
    assert (fresh(run).needed_seconds, fresh(run).seconds_left) == (77.0, None)
    accounts.charge(run, 1.0)
