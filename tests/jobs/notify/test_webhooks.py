"""Webhooks: told of a run's end, signed, tried again, and kept off private networks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Notice, NotificationChannel, Status
from jobs.notify import sender
from jobs.notify.public_address import is_public
from jobs.notify.webhook import signature
from jobs.services import notifications
from jobs.training.watchdog import Watchdog
from tests.jobs.notify.conftest import Handler, Receiver
from tests.jobs.notify.finished import finished

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/settings/notifications/"
Kind = NotificationChannel.Kind


def test_the_end_of_a_run_is_told_and_signed(
    alice: User, bob: User, webhook: NotificationChannel, receiver: Receiver, queue: Any
) -> None:
    finished(bob)
    run = finished(alice)
    queue.work()
    [(headers, body)] = receiver.got
    told = json.loads(body)
    assert (told["type"], told["data"]["id"], told["data"]["status"]) == (
        "run.ended", run.pk, Status.SUCCEEDED,
    )  # fmt: skip
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"), validate=True)
    assert len(key) == 24
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    assert webhook.newest.sent


def test_what_fails_is_tried_again_with_the_same_number_and_then_given_up(
    alice: User, webhook: NotificationChannel, receiver: Receiver
) -> None:
    receiver.answer = lambda handler: handler.reply(500)
    notice = notifications.order_test(webhook)
    for tries in range(1, len(notifications.PAUSES) + 2):
        sender.deliver(notice.pk)
        notice.refresh_from_db()
        assert (notice.tries, notice.error) == (tries, "It answered 500.")
    assert notice.next_try is None
    sender.deliver(notice.pk)
    assert len(receiver.got) == len(notifications.PAUSES) + 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


def test_a_message_whose_job_was_lost_is_sent_by_the_watchdog(
    webhook: NotificationChannel, receiver: Receiver, queue: Any
) -> None:
    notice = notifications.order_test(webhook)
    queue.jobs.clear()
    Watchdog().sweep()
    assert not queue.jobs
    Notice.objects.update(next_try=timezone.now() - timedelta(seconds=1))
    Watchdog().sweep()
    queue.work()
    notice.refresh_from_db()
    assert notice.sent
    assert len(receiver.got) == 1


def test_a_redirect_is_not_followed(webhook: NotificationChannel, receiver: Receiver) -> None:
    receiver.answer = lambda handler: handler.reply(302, Location=receiver.url)
    notice = notifications.order_test(webhook)
    assert "Redirects are not followed" in sender.send(notice)
    assert len(receiver.got) == 1


def drip(handler: Handler) -> None:
    """A header that never ends: each byte comes in time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    try:
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.05)
    except OSError:
        return


def test_one_that_hangs_is_left_in_time(
    webhook: NotificationChannel, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "LIMIT_SECONDS", 0.3)
    receiver.answer = drip
    assert sender.send(notifications.order_test(webhook)) == "No answer within 0.3 seconds."


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
def test_nothing_is_sent_to_this_machine(
    webhook: NotificationChannel, receiver: Receiver, settings: Any, host: str
) -> None:
    settings.PRIVATE_WEBHOOKS = False
    webhook.target = receiver.url.replace("127.0.0.1", host)
    notice = notifications.order_test(webhook)
    assert "no address of the public internet" in sender.send(notice)
    assert not receiver.got


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "::1", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "2002:a00:1::",
        "64:ff9b::7f00:1", "64:ff9b::a00:1",
    ],
)  # fmt: skip
def test_private_addresses_are_known(address: str) -> None:
    assert not is_public(address)
    assert is_public("93.184.215.14")
    assert is_public("2606:2800:21f::1")


def test_the_page_adds_tests_and_deletes(
    alice_client: Client, alice: User, bob_client: Client, queue: Any
) -> None:
    new = f"{PAGE}new/webhook/"
    assert "No webhooks yet" in alice_client.get(PAGE).text
    assert alice_client.get("/settings/webhooks/").url == PAGE
    for url in ("http://example.com/", "https://ann:pass@example.com/", "ftp://example.com", "x y"):
        assert alice_client.post(new, {"webhook-target": url}).status_code == 422
    for _ in range(2):
        assert alice_client.post(new, {"webhook-target": "https://example.com/hook"}).url == PAGE
    [webhook] = NotificationChannel.objects.all()
    assert webhook.secret in alice_client.get(PAGE).text
    assert webhook.secret not in bob_client.get(PAGE).text
    alice_client.post(f"{PAGE}{webhook.pk}/test/")
    assert "On its way" in alice_client.get(PAGE).text
    assert alice_client.post(f"{PAGE}{webhook.pk}/test/").status_code == 409
    for act in ("test", "delete", "occasions"):
        assert bob_client.post(f"{PAGE}{webhook.pk}/{act}/").status_code == 404
    chosen = {"occasions": ["failed", "waits"], "wait_hours": "8"}
    alice_client.post(f"{PAGE}{webhook.pk}/occasions/", chosen)
    alice_client.post(f"{PAGE}{webhook.pk}/occasions/", {**chosen, "wait_hours": "0"})
    alice_client.post(f"{PAGE}{webhook.pk}/occasions/", {**chosen, "occasions": ["oops"]})
    webhook.refresh_from_db()
    assert (webhook.occasions, webhook.wait_hours) == (["failed", "waits"], 8)
    alice_client.post(f"{PAGE}{webhook.pk}/delete/")
    assert not NotificationChannel.objects.exists()


def test_there_are_not_more_than_one_person_may_have(alice_client: Client, alice: User) -> None:
    for number in range(NotificationChannel.MOST):
        target = f"https://example.com/{number}"
        notifications.add_channel(owner=alice, kind=Kind.WEBHOOK, target=target)
    more = {"webhook-target": "https://example.com/more"}
    refused = alice_client.post(f"{PAGE}new/webhook/", more)
    assert refused.status_code == 409
    assert "as many as one person may have" in refused.text


def test_signatures_are_those_of_the_standard() -> None:
    """Computed as its reference libraries do, with a secret that holds plain base64's + and /."""
    secret, body = "whsec_+/MMlZy+/f2XJfIS5hR7gbDYKlvfhlq4", b'{"test": 2432232314}'
    key = base64.b64decode(secret[6:])
    signed = hmac.new(key, b"msg_1.1614265330." + body, hashlib.sha256).digest()
    expected = f"v1,{base64.b64encode(signed).decode()}"
    assert signature(secret, "msg_1", "1614265330", body) == expected
