"""Signing in, the first visit, passwords, keys."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from maxft_site.web import setup_token
from maxft_site.web.limits.sign_in import PERIOD
from maxft_site.web.models import ApiToken, SignInTry

OWNER = {"username": "ada", "password1": "first light 1", "password2": "first light 1"}


def sign_in(client, username="alice", password="a long walk 1", next="", **more):
    typed = {"username": username, "password": password, "next": next}
    return client.post("/login/", typed, **more)


def test_signing_in_leads_home(alice, client):
    assert sign_in(client)["Location"] == "/"
    assert client.get("/settings/").status_code == 200


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_signing_in_never_leads_to_another_site(alice, client, target):
    answer = client.post(
        f"/login/?next={target}", {"username": "alice", "password": "a long walk 1"}
    )
    assert answer["Location"] == "/"


def test_five_tries_a_minute_for_an_account_from_one_address(alice, client):
    for number in range(5):
        answer = sign_in(client, password="wrong", headers={"X-Forwarded-For": f"10.0.0.{number}"})
        assert answer.status_code == 200
        assert "don&#x27;t go together" in answer.content.decode()
    refused = sign_in(client)
    assert refused.status_code == 429
    assert refused["Retry-After"] == "60"
    assert sign_in(client, REMOTE_ADDR="10.9.9.9").status_code == 302


@pytest.mark.parametrize("spelling", [" {}", "{} ", "{}\t", "\u2003{}", "{}\0"])
def test_another_spelling_of_a_name_has_no_tries_of_its_own(alice, client, spelling):
    for _ in range(5):
        sign_in(client, password="wrong")
    tried = {"username": spelling.format("alice"), "password": "wrong"}
    assert Client().post("/login/", tried).status_code == 429


def test_thirty_tries_a_minute_for_an_address(alice, client):
    answers = [sign_in(client, username=f"user{number}").status_code for number in range(31)]
    assert answers == [200] * 30 + [429]


def test_tries_are_forgotten_after_a_success_and_after_a_minute(alice, client):
    for _ in range(4):
        sign_in(client, password="wrong")
    sign_in(client)
    assert not SignInTry.objects.exists()
    for _ in range(5):
        sign_in(Client(), password="wrong")
    SignInTry.objects.update(time=timezone.now() - PERIOD)
    assert sign_in(Client()).status_code == 302


def test_a_new_password_ends_other_sessions(alice, alice_client):
    here = Client()
    here.force_login(alice)
    new = {
        "old_password": "a long walk 1",
        "new_password1": "other 2 hills",
        "new_password2": "other 2 hills",
    }
    assert here.post("/settings/password/", new)["Location"] == "/settings/"
    assert here.get("/settings/").status_code == 200
    assert alice_client.get("/settings/").status_code == 302


@pytest.fixture
def token(data_dir, db):
    return setup_token.make(data_dir)


def test_the_first_visitor_with_the_token_owns_the_site(client, token, data_dir):
    assert client.get(f"/setup/?token={token}").status_code == 200
    answer = client.post("/setup/", OWNER | {"token": token})
    assert answer["Location"] == "/"
    owner = User.objects.get()
    assert (owner.username, owner.is_superuser, owner.is_staff) == ("ada", True, True)
    assert client.get("/settings/").status_code == 200
    assert (
        Client().post("/setup/", OWNER | {"token": token, "username": "eve"})["Location"]
        == "/login/"
    )
    assert setup_token.make(data_dir) is None


def test_the_token_is_kept_as_a_digest_that_only_we_read(token, data_dir):
    path = data_dir / setup_token.FILE
    assert token not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("wrong", ["", "guess"])
def test_without_the_token_nobody_gets_in(client, token, wrong):
    assert client.get(f"/setup/?token={wrong}").status_code == 403
    assert client.post("/setup/", OWNER | {"token": wrong}).status_code == 403
    assert not User.objects.exists()


def test_a_restart_makes_the_old_token_void(client, token, data_dir):
    newer = setup_token.make(data_dir)
    assert client.get(f"/setup/?token={token}").status_code == 403
    assert client.get(f"/setup/?token={newer}").status_code == 200


def test_a_mistake_in_the_form_keeps_the_token(client, token):
    answer = client.post("/setup/", OWNER | {"token": token, "password2": "other"})
    assert answer.status_code == 200
    assert 'aria-invalid="true"' in answer.content.decode()
    assert client.post("/setup/", OWNER | {"token": token}).status_code == 302


def test_of_two_visitors_at_once_one_becomes_the_owner(data_dir, token):
    start = threading.Barrier(8)

    def use(_):
        start.wait()
        try:
            setup_token.use_up(data_dir, token)
        except setup_token.SetupTokenError:
            return False
        return True

    with ThreadPoolExecutor(8) as visitors:
        assert sum(visitors.map(use, range(8))) == 1


def test_the_slower_visitor_leaves_no_account(client, token, data_dir, monkeypatch):
    check = setup_token.check

    def checked_then_overtaken(folder, given):
        check(folder, given)
        (folder / setup_token.FILE).unlink()

    monkeypatch.setattr(setup_token, "check", checked_then_overtaken)
    assert client.post("/setup/", OWNER | {"token": token}).status_code == 403
    assert not User.objects.exists()


def test_a_key_is_shown_once(alice_client):
    page = alice_client.post("/settings/keys/", {"name": "nightly"})
    key = page.context["key"]
    assert key in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert key not in alice_client.get("/settings/").content.decode()
    assert ApiToken.user_of(key).username == "alice"


def test_a_key_can_only_be_revoked_by_whom_it_belongs_to(alice, alice_client, bob_client):
    ApiToken.issue(alice, "x")
    url = f"/settings/keys/{ApiToken.objects.get().pk}/revoke/"
    assert bob_client.post(url).status_code == 404
    assert alice_client.get(url).status_code == 405
    assert alice_client.post(url).status_code == 302
    assert not ApiToken.objects.exists()


def test_storage_is_the_staffs_business(alice, alice_client, data_dir):
    (data_dir / "runs").mkdir()
    (data_dir / "runs" / "model.bin").write_bytes(b"x" * 3_200_000)
    assert "3.2 MB" not in alice_client.get("/settings/").content.decode()
    alice.is_staff = True
    alice.save()
    assert "3.2 MB" in alice_client.get("/settings/").content.decode()


def test_the_command_prints_a_key_and_makes_the_account(db):
    out = StringIO()
    call_command("create_token", "robot", stdout=out)
    user = ApiToken.user_of(out.getvalue().strip())
    assert user.username == "robot"
    assert not user.has_usable_password()
    assert not setup_token.has_owner()
    with pytest.raises(CommandError, match="valid username"):
        call_command("create_token", "no name", stdout=out)


def test_the_admin_has_no_door_of_its_own(client, alice_client, db):
    assert client.get("/admin/", follow=True).redirect_chain[-1][0] == "/login/?next=%2Fadmin%2F"
    assert alice_client.get("/admin/", follow=True).status_code == 403
