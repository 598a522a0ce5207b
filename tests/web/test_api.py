"""What the REST APIs share: keys, sessions, mistakes, paging, repeated requests."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Group
from django.http import Http404
from django.test import Client
from django.urls import include, path
from ninja import Schema
from ninja.pagination import paginate
from pydantic import ConfigDict, Field

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.api import Page, make_api
from maxft_site.web.idempotency import idempotent
from maxft_site.web.models import ApiToken, IdempotentReply


class GroupIn(Schema):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=20)
    size: int = Field(1, ge=1)


class GroupOut(Schema):
    id: int
    name: str


class ConflictError(FineTuneError):
    code = "illegal_move"
    status = 409


api = make_api("Test", "test-api")


@api.post("/groups", response={201: GroupOut})
@idempotent
def create(request, payload: GroupIn):
    return Group.objects.create(name=payload.name)


@api.get("/groups", response=list[GroupOut])
@paginate(Page)
def groups(request):
    return Group.objects.order_by("name")


@api.get("/who")
def who(request):
    return {"auth": request.auth.username, "user": request.user.username}


@api.post("/configs")
def config(request, payload: RunConfig):
    return payload


@api.get("/wrong/{kind}")
def wrong(request, kind: str):
    if kind == "missing":
        raise Http404
    raise ConflictError("Run 7 has ended.", "Make a copy.")


urlpatterns = [path("api/", api.urls), path("", include("maxft_site.web.urls"))]
pytestmark = pytest.mark.urls("tests.web.test_api")


@pytest.fixture
def bearer(api_token):
    return Client(headers={"Authorization": f"Bearer {api_token}"})


def post(client, url, data, **headers):
    return client.post(url, json.dumps(data), content_type="application/json", headers=headers)


def test_a_key_or_a_session_opens(bearer, alice_client):
    assert bearer.get("/api/who").json() == {"auth": "alice", "user": "alice"}
    assert alice_client.get("/api/who").json() == {"auth": "alice", "user": "alice"}


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "x"}]
)
def test_without_a_key_the_answer_is_401_and_says_what_to_do(db, header):
    for answer in (
        Client(headers=header).get("/api/who"),
        post(Client(headers=header), "/api/groups", {}),
    ):
        assert answer.status_code == 401
        assert "Authorization: Bearer" in answer.json()["error"]["hint"]


def test_a_wrong_key_is_not_made_up_for_by_a_session(alice_client):
    wrong_key = alice_client.get("/api/who", headers={"Authorization": "Bearer nonsense"})
    assert wrong_key.status_code == 401


def test_a_session_needs_the_csrf_token_to_change_something(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert post(client, "/api/groups", {"name": "a"}).status_code == 403
    assert not Group.objects.exists()


def test_keys_of_a_locked_account_are_dead(alice, bearer):
    alice.is_active = False
    alice.save()
    assert bearer.get("/api/who").status_code == 401


def test_the_key_is_not_stored(alice):
    key = ApiToken.issue(alice, "x")
    assert key not in str(ApiToken.objects.values())


def test_every_mistake_comes_with_path_value_and_what_is_allowed(bearer):
    answer = post(bearer, "/api/groups", {"name": "a" * 30, "size": 0, "colour": "red"})
    assert answer.status_code == 422
    errors = {error["path"]: error for error in answer.json()["errors"]}
    assert set(errors) == {"name", "size", "colour"}
    assert errors["size"]["value"] == 0
    assert errors["size"]["allowed"] == "a whole number, at least 1"


def test_paths_of_a_whole_configuration_are_the_callers(bearer):
    bad = {"model": {"name": "m"}, "training": {"learning_rate": "fast"}, "tuning": {"name": "x"}}
    errors = post(bearer, "/api/configs", bad).json()["errors"]
    assert {error["path"] for error in errors} == {"training.learning_rate", "tuning.name"}


def test_a_body_that_is_no_json_is_a_400(bearer):
    answer = bearer.post("/api/groups", "{", content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_errors_of_ours_carry_their_status_and_hint(bearer):
    answer = bearer.get("/api/wrong/ended")
    assert answer.status_code == 409
    assert answer.json()["error"] == {
        "code": "illegal_move",
        "message": "Run 7 has ended.",
        "hint": "Make a copy.",
    }
    assert bearer.get("/api/wrong/missing").json()["error"]["code"] == "not_found"


def test_lists_come_in_pages_with_their_total(bearer):
    for name in "abc":
        Group.objects.create(name=name)
    answer = bearer.get("/api/groups?limit=2&offset=2").json()
    assert answer["total"] == 3
    assert [item["name"] for item in answer["items"]] == ["c"]
    assert bearer.get("/api/groups?limit=0").json()["errors"][0]["path"] == "limit"


def test_the_description_is_for_members(bearer, client):
    assert bearer.get("/api/openapi.json").json()["info"]["title"] == "Test"
    assert bearer.get("/api/docs").status_code == 200
    assert client.get("/api/docs").status_code == 302


def test_the_same_request_again_gets_the_same_answer(bearer):
    first, again = (
        post(bearer, "/api/groups", {"name": "a"}, **{"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
    assert Group.objects.count() == 1


def test_a_key_is_good_for_one_request_only(bearer):
    post(bearer, "/api/groups", {"name": "a"}, **{"Idempotency-Key": "k"})
    other = post(bearer, "/api/groups", {"name": "b"}, **{"Idempotency-Key": "k"})
    assert other.status_code == 422
    assert other.json()["error"]["code"] == "idempotency_key"


def test_a_refused_request_keeps_no_answer(bearer):
    headers = {"Idempotency-Key": "k"}
    assert post(bearer, "/api/groups", {"name": "a", "size": 0}, **headers).status_code == 422
    assert not IdempotentReply.objects.exists()
    assert post(bearer, "/api/groups", {"name": "a"}, **headers).status_code == 201


def test_two_people_may_use_the_same_key(bearer, bob):
    bobs = Client(headers={"Authorization": f"Bearer {ApiToken.issue(bob, 'x')}"})
    for client, name in ((bearer, "a"), (bobs, "b")):
        assert (
            post(client, "/api/groups", {"name": name}, **{"Idempotency-Key": "k"}).status_code
            == 201
        )
    assert Group.objects.count() == 2


def test_a_form_is_the_same_whatever_separates_its_parts(rf):
    from django.core.files.uploadedfile import SimpleUploadedFile

    from maxft_site.web.idempotency import digest_of

    def digest(content, boundary):
        from django.test.client import encode_multipart

        data = {"name": "x", "file": SimpleUploadedFile("a.csv", content)}
        body = encode_multipart(boundary, data)
        kind = f"multipart/form-data; boundary={boundary}"
        return digest_of(rf.generic("POST", "/d", body, content_type=kind))

    assert digest(b"1,2", "one") == digest(b"1,2", "two")
    assert digest(b"1,2", "one") != digest(b"1,3", "one")
