"""The socket of a run: complete, in order, only for whom it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from jobs import consumers
from jobs.consumers import RunConsumer
from jobs.live import group_of_run
from jobs.models import Run
from jobs.selectors import events_after
from jobs.services.ingest import record_events
from maxft_site.web.serving import sockets
from tests.conftest import signed_in
from tests.jobs.pages import add_logs, trained
from tests.jobs.runs import event, make_run
from tests.jobs.sockets import Socket

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick_ticks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """And none is left open: what is counted in is counted out."""
    monkeypatch.setattr(RunConsumer, "tick_seconds", 0.05)
    yield
    assert not +RunConsumer.open_sockets


def socket(client: Client, run: Run, **options: str) -> Socket:
    return Socket(client, f"/ws/runs/{run.pk}/", **options)


async def opened(client: Client, run: Run, after: int = 0) -> Socket:
    page = socket(client, run)
    assert await page.connect() is None
    await page.say(json.dumps({"after": after}))
    return page


async def say(run: Run, first: int, last: int, events: Any = None) -> None:
    layer = get_channel_layer()
    assert layer is not None
    message = {"type": "run.changed", "first": first, "last": last, "events": events}
    await layer.group_send(group_of_run(run.pk), message)


def test_history_comes_first_then_what_is_announced(alice: User, alice_client: Client) -> None:
    run = trained(alice)

    @async_to_sync
    async def chat() -> None:
        page = await opened(alice_client, run)
        events = await page.events_until(run.last_seq)
        assert [e["seq"] for e in events] == list(range(1, run.last_seq + 1))
        logged = next(e for e in events if e["kind"] == "log")
        assert logged["data"]["loss"] == 3.0
        assert all("data" not in e for e in events if e["kind"] == "sample")

        news = [event(20, "log", 7, loss=0.1)]
        await sync_to_async(record_events)(run.pk, run.attempt, news)
        (new,) = await page.events_until(run.last_seq + 1)
        assert (new["step"], new["data"]["loss"]) == (7, 0.1)
        await page.leave()

    chat()


def test_a_reconnect_gets_only_what_it_lacks(alice: User, alice_client: Client) -> None:
    run = trained(alice)

    @async_to_sync
    async def chat() -> None:
        page = await opened(alice_client, run, after=run.last_seq - 2)
        events = await page.events_until(run.last_seq)
        assert [e["seq"] for e in events] == [run.last_seq - 1, run.last_seq]
        await page.leave()

    chat()


def test_late_doubled_and_missing_hints_do_no_harm(alice: User, alice_client: Client) -> None:
    run = trained(alice)
    last = run.last_seq

    @async_to_sync
    async def chat() -> None:
        page = await opened(alice_client, run, after=last)
        await page.hear()  # the state
        told = await sync_to_async(events_after)(run, last - 3, 3)
        await say(run, last - 2, last, told)
        await say(run, last - 2, last - 1, told[:2])
        assert await page.is_silent(0.3)

        more = [event(20 + n, "log", 7 + n, loss=0.1) for n in range(3)]
        await sync_to_async(record_events)(run.pk, run.attempt, more)
        tail = await sync_to_async(events_after)(run, last + 2, 1)
        await say(run, last + 3, last + 3, tail)
        events = await page.events_until(last + 3)
        assert [e["seq"] for e in events] == [last + 1, last + 2, last + 3]
        await page.leave()

    chat()


def test_two_viewers_see_the_same(alice: User, alice_client: Client) -> None:
    run = trained(alice)

    @async_to_sync
    async def chat() -> None:
        one, two = await opened(alice_client, run), await opened(alice_client, run, after=5)
        first, second = await one.events_until(run.last_seq), await two.events_until(run.last_seq)
        assert first[5:] == second
        await one.leave()
        await two.leave()

    chat()


def test_a_change_of_state_is_told_without_an_event(alice: User, alice_client: Client) -> None:
    run = make_run(alice)

    @async_to_sync
    async def chat() -> None:
        page = await opened(alice_client, run)
        assert (await page.hear())["status"] == "queued"
        await Run.objects.filter(pk=run.pk).aupdate(status="cancelled")
        assert (await page.hear())["status"] == "cancelled"
        await page.leave()

    chat()


def test_frames_stay_small(alice: User, alice_client: Client) -> None:
    run = make_run(alice)
    add_logs(run, [1.0] * 3000)
    Run.objects.filter(pk=run.pk).update(last_seq=3000)

    @async_to_sync
    async def chat() -> None:
        page = await opened(alice_client, run)
        seen = 0
        while seen < 3000:
            text = await page.hear_text()
            assert len(text.encode()) <= consumers.FRAME_BYTES
            seen = json.loads(text)["last"]
        await page.leave()

    chat()


def test_outsiders_and_strangers_are_turned_away(
    alice: User, bob_client: Client, alice_client: Client
) -> None:
    run = make_run(alice)

    @async_to_sync
    async def chat() -> None:
        for stranger in (bob_client, Client()):
            assert await socket(stranger, run).connect() == sockets.NOT_FOUND
        for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
            assert await socket(alice_client, run, origin=origin).connect() == 1000

    chat()


@pytest.mark.parametrize("end", ["delete", "log out", "deactivate"])
def test_access_that_ends_closes_the_socket(alice: User, end: str) -> None:
    run = make_run(alice)
    client = signed_in(alice)
    page = socket(client, run)

    async def watch() -> None:
        assert await page.connect() is None
        if end == "delete":
            await Run.objects.filter(pk=run.pk).aupdate(deleted=run.created)
        elif end == "deactivate":
            await User.objects.filter(pk=alice.pk).aupdate(is_active=False)
        else:
            key = client.cookies[settings.SESSION_COOKIE_NAME].value
            store = import_module(settings.SESSION_ENGINE).SessionStore(key)
            await sync_to_async(store.delete)()
        assert await page.closing_code() == sockets.NOT_FOUND
        await page.leave()

    async_to_sync(watch)()


@pytest.mark.parametrize("text", ["", "{}", '{"after": -1}', '{"after": "x"}', "[" * 70_000])
def test_nonsense_closes_the_socket(alice: User, alice_client: Client, text: str) -> None:
    run = make_run(alice)

    @async_to_sync
    async def chat() -> None:
        page = socket(alice_client, run)
        await page.connect()
        await page.say(text)
        assert await page.closing_code() == sockets.BAD_FRAME
        await page.leave()

    chat()


def test_one_user_opens_so_many_sockets(
    alice: User, alice_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunConsumer, "most_sockets", 2)
    run = make_run(alice)

    @async_to_sync
    async def chat() -> None:
        pages = [await opened(alice_client, run) for _ in range(2)]
        third = socket(alice_client, run)
        assert await third.connect() == sockets.TOO_MANY
        for page in pages:
            await page.leave()

    chat()
