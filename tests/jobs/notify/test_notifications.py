"""Notifications: each occasion told once, by mail to whom wants it, by services, to open pages."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import Any

import pytest
import requests
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from jobs.models import NotificationChannel, Occasion, Run
from jobs.notify import sender
from jobs.notify.socket import NoticeConsumer
from jobs.services import attempts, notifications, runs
from jobs.services.ingest import FencedError, record_events
from jobs.training.watchdog import Watchdog
from maxft_site.web.serving.sockets import BROKEN
from tests.jobs.notify.conftest import Receiver
from tests.jobs.notify.finished import finished
from tests.jobs.runs import make_run, running, success
from tests.jobs.sockets import Socket

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/settings/notifications/"
Kind = NotificationChannel.Kind


def told(channel: NotificationChannel) -> list[tuple[int | None, str]]:
    return [(notice.run_id, notice.occasion) for notice in channel.notices.order_by("pk")]


def test_an_end_is_told_once_whatever_is_repeated(
    alice: User, webhook: NotificationChannel, receiver: Receiver, queue: Any
) -> None:
    """A worker that was killed between any two steps does them again."""
    run = finished(alice)
    with pytest.raises(FencedError):
        record_events(run.pk, run.attempt, success(10))
    notifications.tell(run, Occasion.FINISHED)
    [notice] = webhook.notices.all()
    for _ in range(3):
        sender.deliver(notice.pk)
    queue.work()
    Watchdog().sweep()
    queue.work()
    assert told(webhook) == [(run.pk, "finished")]
    assert len(receiver.got) == 1


def test_only_what_was_chosen_is_told(
    alice: User, bob: User, webhook: NotificationChannel, queue: Any
) -> None:
    notifications.choose_occasions(webhook, ["diverged", "needs_person", "waits"], 3)
    finished(alice)
    failed, diverged = running(alice), running(alice)
    error = {"code": "x", "message": "No.", "hint": ""}
    Run.objects.filter(pk=diverged.pk).update(verdict={"code": "diverged", "title": "Diverged"})
    for run in (failed, diverged):
        attempts.fail(run.pk, run.attempt, by="trainer", error=error)
    mine, theirs = make_run(alice, status="queued"), make_run(alice, status="queued")
    runs.pause_run(run=mine, by=alice)
    runs.pause_run(run=theirs, by=bob)
    at_work = running(alice)
    runs.pause_run(run=at_work, by=bob)
    attempts.pause(at_work.pk, at_work.attempt, by="worker-1")
    now = timezone.now()
    make_run(alice, status="queued", queued_at=now - timedelta(hours=2))
    late = make_run(alice, status="queued", queued_at=now - timedelta(hours=4))
    make_run(bob, status="queued", queued_at=now - timedelta(hours=4))
    for _ in range(2):
        notifications.tell_of_waiting()
    assert told(webhook) == [
        (diverged.pk, "diverged"), (theirs.pk, "needs_person"), (at_work.pk, "needs_person"),
        (late.pk, "waits"),
    ]  # fmt: skip


@pytest.fixture
def by_mail(settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "maxft@example.com"


def test_mail_goes_to_who_confirmed_it(
    by_mail: None, alice: User, alice_client: Client, bob_client: Client, queue: Any,
    mailoutbox: list[EmailMessage],
) -> None:  # fmt: skip
    asked = {"email-target": "ann@example.org"}
    assert alice_client.post(f"{PAGE}new/email/", {"email-target": "nobody"}).status_code == 422
    assert alice_client.post(f"{PAGE}new/email/", asked).url == PAGE
    finished(alice)
    queue.work()
    [mail] = mailoutbox
    assert (mail.to, mail.subject) == (["ann@example.org"], "Confirm your address for MaxFT")
    link = re.search(r"http://testserver(/\S+)", mail.body)[1]
    assert bob_client.post(link).status_code == 404
    assert alice_client.post(link.replace("confirm/", "confirm/x")).status_code == 404
    assert alice_client.get(link).status_code == 200
    assert not NotificationChannel.objects.get().is_confirmed
    alice_client.post(link)
    run = finished(alice)
    queue.work()
    [_, mail] = mailoutbox
    assert mail.subject == f"{run.name} finished"
    assert f"http://testserver/runs/{run.pk}/" in mail.body
    number = NotificationChannel.objects.get().newest.number
    assert mail.message()["Message-ID"] == f"<{number}@maxft>"


def test_strangers_get_few_mails(
    by_mail: None, alice: User, alice_client: Client, queue: Any, mailoutbox: list[EmailMessage]
) -> None:
    for number in range(2 * notifications.MOST_CONFIRMATIONS):
        alice_client.post(f"{PAGE}new/email/", {"email-target": f"someone{number}@example.org"})
        queue.work()
        NotificationChannel.objects.all().delete()
    assert len(mailoutbox) == notifications.MOST_CONFIRMATIONS


def test_a_name_makes_no_headers(
    by_mail: None, alice: User, queue: Any, mailoutbox: list[EmailMessage]
) -> None:
    notifications.add_channel(owner=alice, kind=Kind.EMAIL, target="ann@example.org")
    run = running(alice)
    Run.objects.filter(pk=run.pk).update(name="x\nBcc: eve@example.org")
    record_events(run.pk, run.attempt, success(10))
    queue.work()
    assert mailoutbox[0].subject == "x Bcc: eve@example.org finished"


def test_a_mail_server_that_is_away_is_tried_again(
    by_mail: None, alice: User, settings: Any, queue: Any, mailoutbox: list[EmailMessage]
) -> None:
    channel = notifications.add_channel(owner=alice, kind=Kind.EMAIL, target="ann@example.org")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    settings.EMAIL_HOST_PASSWORD = "hidden-1"
    finished(alice)
    queue.work()
    notice = channel.newest
    assert (notice.sent, notice.tries) == (None, 1)
    assert notice.next_try
    assert "hidden-1" not in notice.error
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    sender.deliver(notice.pk)
    sender.deliver(notice.pk)
    assert len(mailoutbox) == 1


def test_without_a_sender_no_mail_is_offered(alice_client: Client, settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = ""
    assert "This site sends no e-mail" in alice_client.get(PAGE).text
    asked = {"email-target": "ann@example.org"}
    assert alice_client.post(f"{PAGE}new/email/", asked).status_code == 404


SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


@pytest.mark.parametrize(
    "address",
    [
        "json://127.0.0.1/", "xml://10.0.0.1", "mailto://u:p@localhost", "ntfy://localhost/x",
        "syslog://", "dbus://", "gotify://10.0.0.1/token", "slack://127.0.0.1/x", "slack://",
        f"{SLACK}?template=/etc/passwd", f"{SLACK}?attach=http://127.0.0.1/", "no address",
    ],
)  # fmt: skip
def test_services_lead_to_no_host_of_ones_own(alice_client: Client, address: str) -> None:
    answer = alice_client.post(f"{PAGE}new/apprise/", {"apprise-target": address})
    assert answer.status_code == 422
    assert not NotificationChannel.objects.exists()


def test_services_get_what_happened_and_their_key_stays_hidden(
    alice: User, alice_client: Client, queue: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    sent: list[tuple[str, str]] = []
    status = 200

    def answered(method: str, url: str, **options: Any) -> requests.Response:
        sent.append((url, str(options["data"])))
        answer = requests.Response()
        answer.status_code, answer._content = status, b"ok"
        return answer

    monkeypatch.setattr("requests.request", answered)
    alice_client.post(f"{PAGE}new/apprise/", {"apprise-target": SLACK})
    page = alice_client.get(PAGE).text
    assert "slack://…" in page
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in page
    run = finished(alice)
    queue.work()
    [(url, body)] = sent
    assert url.startswith("https://hooks.slack.com/services/")
    assert f"/runs/{run.pk}/" in body
    channel = NotificationChannel.objects.get()
    assert channel.newest.sent
    status = 500
    notifications.order_test(channel)
    queue.work()
    assert "did not take it" in channel.newest.error
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in caplog.text + channel.newest.error


def test_open_pages_show_a_notice_once(
    alice: User, alice_client: Client, bob_client: Client
) -> None:
    alice_client.post(f"{PAGE}new/browser/")
    run = finished(alice)

    async def journey() -> None:
        pages = [Socket(alice_client, "/ws/notices/") for _ in range(2)]
        for page in pages:
            assert await page.connect() is None
        heard = [await page.hear() for page in pages]
        assert heard[0] == heard[1]
        assert heard[0]["title"] == f"{run.name} finished"
        assert heard[0]["path"] == f"/runs/{run.pk}/"
        await pages[0].say(json.dumps({"shown": heard[0]["id"]}))
        stranger = Socket(bob_client, "/ws/notices/")
        assert await stranger.connect() is None
        assert await stranger.is_silent(0.2)
        await stranger.say(json.dumps({"shown": heard[0]["id"] + 1}))
        assert await Socket(Client(), "/ws/notices/").connect() == 4404
        while await sync_to_async(notifications.for_browser)(alice.pk):
            await asyncio.sleep(0.01)
        later = Socket(alice_client, "/ws/notices/")
        assert await later.connect() is None
        assert await later.is_silent(0.2)
        for page in (*pages, stranger, later):
            await page.leave()

    async_to_sync(journey)()
    assert NotificationChannel.objects.get().newest.sent


def test_a_page_whose_notices_can_not_be_read_is_told_to_come_back(
    alice_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that stayed open without looking would never tell of anything."""

    looks = 0

    def fails(user_id: int) -> list[Any]:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise OperationalError("the database is gone")
        return []

    async def journey() -> None:
        page = Socket(alice_client, "/ws/notices/")
        assert await page.connect() is None
        assert await page.closing_code() == BROKEN
        await page.leave()

    monkeypatch.setattr(notifications, "for_browser", fails)
    monkeypatch.setattr(NoticeConsumer, "tick_seconds", 0.05)
    async_to_sync(journey)()
