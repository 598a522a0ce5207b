"""Webhooks: told of a run's end, signed, tried again, and kept off private networks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Delivery, Run, Status, Webhook
from jobs.notify import sender
from jobs.notify.message import signature
from jobs.notify.public_address import is_public
from jobs.services import webhooks
from jobs.services.ingest import record_events
from jobs.training.watchdog import Watchdog
from tests.jobs.runs import running, success

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/settings/webhooks/"


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent; `answer` is what it does with a request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[Handler], None] = lambda handler: handler.reply(200)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.server.answer(self)

    def reply(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def webhook(alice: User, receiver: Receiver, settings: Any) -> Webhook:
    settings.PRIVATE_WEBHOOKS = True
    return webhooks.add_webhook(owner=alice, url=receiver.url)


def finished(owner: User) -> Run:
    run = running(owner)
    record_events(run.pk, run.attempt, success(10))
    return run


def test_the_end_of_a_run_is_told_and_signed(
    alice: User, bob: User, webhook: Webhook, receiver: Receiver, queue: Any
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
    alice: User, webhook: Webhook, receiver: Receiver
) -> None:
    receiver.answer = lambda handler: handler.reply(500)
    delivery = webhooks.order(webhook)
    for tries in range(1, len(webhooks.PAUSES) + 2):
        sender.deliver(delivery.pk)
        delivery.refresh_from_db()
        assert (delivery.tries, delivery.error) == (tries, "It answered 500.")
    assert delivery.next_try is None
    sender.deliver(delivery.pk)
    assert len(receiver.got) == len(webhooks.PAUSES) + 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


def test_a_message_whose_job_was_lost_is_sent_by_the_watchdog(
    webhook: Webhook, receiver: Receiver, queue: Any
) -> None:
    delivery = webhooks.order(webhook)
    queue.jobs.clear()
    Watchdog().sweep()
    assert not queue.jobs
    Delivery.objects.update(next_try=timezone.now() - timedelta(seconds=1))
    Watchdog().sweep()
    queue.work()
    delivery.refresh_from_db()
    assert delivery.sent
    assert len(receiver.got) == 1


def test_a_redirect_is_not_followed(webhook: Webhook, receiver: Receiver) -> None:
    receiver.answer = lambda handler: handler.reply(302, Location=receiver.url)
    delivery = webhooks.order(webhook)
    assert "Redirects are not followed" in sender.send(delivery)
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
    webhook: Webhook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "LIMIT_SECONDS", 0.3)
    receiver.answer = drip
    assert sender.send(webhooks.order(webhook)) == "No answer within 0.3 seconds."


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
def test_nothing_is_sent_to_this_machine(
    webhook: Webhook, receiver: Receiver, settings: Any, host: str
) -> None:
    settings.PRIVATE_WEBHOOKS = False
    webhook.url = receiver.url.replace("127.0.0.1", host)
    delivery = webhooks.order(webhook)
    assert "no address of the public internet" in sender.send(delivery)
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
    assert "No webhooks yet" in alice_client.get(PAGE).text
    for url in ("http://example.com/", "https://ann:pass@example.com/", "ftp://example.com", "x y"):
        assert alice_client.post(PAGE, {"url": url}).status_code == 422
    assert alice_client.post(PAGE, {"url": "https://example.com/hook"}).url == PAGE
    assert alice_client.post(PAGE, {"url": "https://example.com/hook"}).url == PAGE
    [webhook] = Webhook.objects.all()
    assert webhook.secret in alice_client.get(PAGE).text
    assert webhook.secret not in bob_client.get(PAGE).text
    alice_client.post(f"{PAGE}{webhook.pk}/test/")
    assert "On its way" in alice_client.get(PAGE).text
    assert bob_client.post(f"{PAGE}{webhook.pk}/delete/").status_code == 404
    alice_client.post(f"{PAGE}{webhook.pk}/delete/")
    assert not Webhook.objects.exists()


def test_there_are_not_more_than_one_person_may_have(alice_client: Client, alice: User) -> None:
    for number in range(Webhook.MOST):
        webhooks.add_webhook(owner=alice, url=f"https://example.com/{number}")
    refused = alice_client.post(PAGE, {"url": "https://example.com/more"})
    assert refused.status_code == 409
    assert "as many as one person may have" in refused.text


def test_signatures_are_those_of_the_standard() -> None:
    """Computed as its reference libraries do, with a secret that holds plain base64's + and /."""
    secret, body = "whsec_+/MMlZy+/f2XJfIS5hR7gbDYKlvfhlq4", b'{"test": 2432232314}'
    key = base64.b64decode(secret[6:])
    signed = hmac.new(key, b"msg_1.1614265330." + body, hashlib.sha256).digest()
    expected = f"v1,{base64.b64encode(signed).decode()}"
    assert signature(secret, "msg_1", "1614265330", body) == expected
