"""API keys: ended by a new password, narrow where they are meant to be, for a time, counted."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from maxft_site.web.models import ApiToken
from tests.security.conftest import by_key, config_of, post

OLD, NEW = "a long walk 1", "a longer walk 2"


def opens(client: Client) -> bool:
    return client.get("/api/v1/runs").status_code == 200


def test_a_new_password_ends_them(alice: User, bob: User, alice_client: Client) -> None:
    mine, theirs = by_key(alice), by_key(bob)
    assert opens(mine)
    words = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}
    assert alice_client.post("/settings/password/", words).status_code == 302
    assert not opens(mine)
    assert opens(theirs)


def test_so_does_one_that_somebody_else_has_set(
    alice: User, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, admin = by_key(alice), Client()
    admin.force_login(ada)
    words = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    answer = admin.post(f"/admin/auth/user/{alice.pk}/password/", words)
    assert answer.status_code == 302
    assert not opens(script)
    again = by_key(alice)
    alice.refresh_from_db()
    alice.set_password(OLD)
    alice.save()
    assert not opens(again)


def test_a_hash_that_is_made_anew_for_the_same_password_ends_none(alice: User) -> None:
    script = by_key(alice)
    alice.set_password(OLD)
    alice._password = None  # as Django does where an algorithm has become stronger
    alice.save(update_fields=["password"])
    assert opens(script)


def test_a_key_to_look_changes_nothing(alice: User, starter: object) -> None:
    script = by_key(alice, scope="read")
    assert opens(script)
    refused = post(script, "/api/v1/runs", config_of(alice))
    assert (refused.status_code, alice.runs.count()) == (403, 0)
    assert "scope" in refused.json()["error"]["message"]
    assert script.get("/v1/models").status_code == 200
    chat = {"model": "x", "messages": [{"role": "user", "content": "?"}]}
    assert post(script, "/v1/chat/completions", chat).status_code == 403


def test_a_key_to_chat_opens_nothing_else(alice: User) -> None:
    script = by_key(alice, scope="chat")
    assert script.get("/v1/models").status_code == 200
    for address in ("/api/v1/runs", "/api/v1/datasets", "/api/v1/models"):
        assert script.get(address).status_code == 403
    assert script.get("/api/v1/openapi.json").status_code == 302  # to the page to sign in


def test_a_key_that_is_not_for_it_uploads_no_large_body(alice: User) -> None:
    from maxft_site.web.limits.body_size import is_member

    key = ApiToken.issue(alice, "x", scope="read")
    headers = [(b"authorization", f"Bearer {key}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/api/v1/datasets", "headers": headers}
    assert not is_member(scope)


def test_a_key_is_good_until_its_end(alice: User) -> None:
    script = by_key(alice, days=30)
    assert opens(script)
    ApiToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert not opens(script)


def test_so_many_and_no_more(alice: User, alice_client: Client) -> None:
    words = {"name": "nightly", "scope": "read", "days": "30"}
    assert alice_client.post("/settings/keys/", words).status_code == 201
    made = ApiToken.objects.get()
    assert (made.scope, made.name) == ("read", "nightly")
    assert made.expires is not None
    for _ in range(ApiToken.MOST - 1):
        ApiToken.issue(alice, "x")
    answer = alice_client.post("/settings/keys/", words)
    assert answer.status_code == 409
    assert "Revoke one" in answer.content.decode()
    assert alice.api_tokens.count() == ApiToken.MOST
    with pytest.raises(CommandError, match="Revoke one"):
        call_command("create_token", "alice")


def test_the_page_says_what_each_opens_and_until_when(alice: User, alice_client: Client) -> None:
    ApiToken.issue(alice, "dashboards", scope="read", days=30)
    ApiToken.issue(alice, "old", scope="chat", days=1)
    ApiToken.objects.filter(name="old").update(expires=timezone.now() - timedelta(days=1))
    page = alice_client.get("/settings/").content.decode()
    assert "dashboards" in page
    assert "Look, change nothing" in page
    assert "Expired" in page


def test_the_command_makes_narrow_ones_too(alice: User) -> None:
    out = StringIO()
    call_command("create_token", "alice", scope="chat", days=7, stdout=out)
    token = ApiToken.of(out.getvalue().strip())
    assert token is not None
    assert (token.scope, token.opens("GET", "/api/v1/runs")) == ("chat", False)
