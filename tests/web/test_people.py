"""The page People: invitations, roles, closed accounts."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import Client

from maxft_site.web.models import ApiToken
from maxft_site.web.views import people

PAGE = "/settings/people/"
CHOSEN = {"new_password1": "petrol-and-hairlines", "new_password2": "petrol-and-hairlines"}


@pytest.fixture
def owner(db):
    return User.objects.create_superuser("ann", password="a long walk 1")


@pytest.fixture
def owner_client(owner):
    client = Client()
    client.force_login(owner)
    return client


def link_on(page):
    return re.search(r'value="http://testserver(/invitation/[^"]+)"', page.content.decode())[1]


def test_who_is_invited_chooses_a_password_once(owner_client, client):
    made = owner_client.post(f"{PAGE}new/", {"username": "cy", "role": "member"})
    assert made.status_code == 201
    link = link_on(made)
    form = client.get(link, follow=True)
    assert "Your user name is <b>cy</b>" in form.content.decode()
    entered = client.post(form.request["PATH_INFO"], CHOSEN)
    assert entered["Location"] == "/"
    assert client.get("/settings/").context["user"].get_username() == "cy"
    assert not User.objects.get(username="cy").is_staff
    again = Client().get(link, follow=True)
    assert "used or out of date" in again.content.decode()
    assert "/invitation/" not in owner_client.get(PAGE).content.decode()


def test_a_lost_password_is_chosen_anew(owner_client, alice, client):
    link = link_on(owner_client.post(f"{PAGE}{alice.pk}/link/"))
    assert alice.check_password("a long walk 1")
    form = client.get(link, follow=True)
    client.post(form.request["PATH_INFO"], CHOSEN)
    alice.refresh_from_db()
    assert alice.check_password(CHOSEN["new_password1"])


def test_a_closed_account_opens_nothing(owner_client, alice, alice_client):
    key = ApiToken.issue(alice, "nightly")
    owner_client.post(f"{PAGE}{alice.pk}/switch/")
    assert alice_client.get("/settings/")["Location"].startswith("/login/")
    bearer = {"Authorization": f"Bearer {key}"}
    assert Client().get("/api/v1/runs", headers=bearer).status_code == 401
    owner_client.post(f"{PAGE}{alice.pk}/switch/")
    assert Client().get("/api/v1/runs", headers=bearer).status_code == 200


def test_roles_change_but_an_owner_remains(owner_client, owner, alice):
    owner_client.post(f"{PAGE}{alice.pk}/role/")
    alice.refresh_from_db()
    assert alice.is_superuser
    for act in ("role", "switch"):
        assert owner_client.post(f"{PAGE}{owner.pk}/{act}/").status_code == 404
    owner.refresh_from_db()
    assert owner.is_superuser
    assert owner.is_active


@pytest.mark.parametrize("typed", [{"username": ""}, {"username": "alice"}, {"username": "a b"}])
def test_a_name_that_does_not_do_is_said_at_its_field(owner_client, alice, typed):
    page = owner_client.post(f"{PAGE}new/", typed | {"role": "member"})
    assert page.status_code == 422
    assert "username" in page.context["form"].errors
    assert User.objects.count() == 2


def test_members_see_no_people(alice, alice_client):
    assert "People" not in alice_client.get("/settings/").content.decode()
    assert alice_client.get(PAGE).status_code == 403
    for act in ("new/", f"{alice.pk}/link/", f"{alice.pk}/switch/", f"{alice.pk}/role/"):
        assert alice_client.post(PAGE + act, {"username": "x", "role": "owner"}).status_code == 403
    assert User.objects.count() == 1
    assert not User.objects.get().is_superuser


def test_the_list_is_sorted_and_paged(owner_client):
    User.objects.bulk_create(User(username=f"p{number:03}") for number in range(60))
    first = owner_client.get(PAGE)
    assert len(first.context["page"]) == 50
    newest = owner_client.get(PAGE, {"order": "since"}).context["page"]
    assert newest[0].get_username() == "p059"
    assert len(owner_client.get(PAGE, {"order": "nonsense", "page": "2"}).context["page"]) == 11


def test_reloading_the_page_of_a_link_leads_to_the_list_as_it_was(owner_client, alice):
    answer = owner_client.get(f"{PAGE}{alice.pk}/link/?order=-username&page=2")
    assert answer["Location"] == f"{PAGE}?order=-username&page=2"


@pytest.mark.parametrize("change", ["role", "switch"])
def test_who_was_an_owner_when_the_request_came_and_is_none_now_changes_nobody(
    owner, alice, change, rf
):
    request = rf.post("/")
    request.user = User.objects.get(pk=owner.pk)
    User.objects.filter(pk=owner.pk).update(is_superuser=False)
    with pytest.raises(PermissionDenied):
        getattr(people, change)(request, alice.pk)
    alice.refresh_from_db()
    assert alice.is_active
    assert not alice.is_superuser
