"""Every address of the site, by every verb, for the owner of what is there, another member, a
stranger and the superuser.

The addresses are those of the URLconf; what is expected follows from rules, so that a new address
is judged as soon as it is there. One whose parameter is of a new kind fails until it is said here
what stands there and who may see it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver

from datasets_app.models import Dataset
from maxft_site.web.models import ApiToken
from tests.jobs.runs import make_dataset
from tests.security.things import Thing, things_of

VERBS = ("get", "head", "post", "put", "patch", "delete")
OPEN = {"/login/", "/setup/", "/healthz", "/favicon.ico", "/admin/login/", "/admin/jsi18n/",
        "/invitation/<uidb64>/<token>/"}  # fmt: skip
"""Addresses for everybody."""


class Address(NamedTuple):
    """An address with real things in place of its parameters."""

    route: str
    url: str
    missing: str
    """The same with things that are not there."""
    things: tuple[Thing, ...]

    @property
    def is_admin(self) -> bool:
        return self.route.startswith("/admin/")

    @property
    def verbs(self) -> tuple[str, ...]:
        """Django's own pages know two."""
        return ("get", "post") if self.is_admin else VERBS

    def is_hidden_from(self, actor: str) -> bool:
        """Whether it has to look as if there were nothing."""
        if actor == "ada" and all(thing.is_supervised for thing in self.things):
            return False
        return any(not thing.is_shared for thing in self.things)


@pytest.fixture
def things(alice: User) -> dict[str, Thing]:
    return things_of(alice)


def routes(patterns: Any = None, prefix: str = "/") -> Iterator[str]:
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route.removesuffix("\\Z").rstrip("$")
        else:
            yield from routes(pattern.url_patterns, route)


NOBODYS = "nobody-has-it"
PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
ADMIN_PARTS = {"app_label": "auth", "object_id": "1", "content_type_id": "999999", "url": "x"}


def address_of(route: str, things: dict[str, Thing]) -> Address:
    if route.startswith("/admin/"):
        plain = re.sub(r"\(\?P<(\w+)>.*\)$", lambda m: ADMIN_PARTS[m[1]], route)
        url = PARAMETER.sub(lambda m: ADMIN_PARTS.get(m[2], "1"), plain)
        return Address(route, url, url, ())
    found: list[Thing] = []
    url, missing = "", ""
    rest = route
    while match := PARAMETER.search(rest):
        before = rest[: match.start()]
        place = PARAMETER.sub("", route[: len(route) - len(rest) + match.start()])
        key = re.sub("/+", "/", place) + match[2]
        assert key in things, f"{route}: say in `things` what stands at {key!r} and whose it is"
        found.append(things[key])
        url += before + str(things[key].value)
        missing += before + str(absent(things[key]))
        rest = rest[match.end() :]
    return Address(route, url + rest, missing + rest, tuple(found))


def absent(thing: Thing) -> object:
    if thing.is_shared:
        return thing.value
    return {int: 10**9, UUID: uuid4(), str: NOBODYS}[type(thing.value)]


@pytest.fixture
def addresses(things: dict[str, Thing]) -> list[Address]:
    return [address_of(route, things) for route in sorted(set(routes()))]


class Browser(Client):
    """Signed in by a session, and where that opens nothing by a key."""

    def __init__(self, user: User | None) -> None:
        super().__init__(raise_request_exception=False)
        self.by_key: dict[str, str] = {}
        if user is not None:
            self.force_login(user)
            self.by_key = {"Authorization": f"Bearer {ApiToken.issue(user, 'matrix')}"}


def answer_to(client: Browser, verb: str, url: str) -> Any:
    """The answer; whatever the request has changed is as before."""
    headers = client.by_key if url.startswith("/v1/") else None
    with transaction.atomic():
        answer = getattr(client, verb)(url, headers=headers)
        if answer.streaming:
            answer.close()
        transaction.set_rollback(True)
    return answer


def is_refused(answer: Any) -> bool:
    """As a stranger has to be: shown to the door, or told that there is nothing."""
    to_door = answer.status_code == 302 and "/login/" in answer["Location"]
    return to_door or answer.status_code in {401, 403, 404, 405}


def problem(actor: str, verb: str, address: Address, answer: Any, nothing: Any) -> str:
    """What is wrong with an answer; `nothing` is the one where there is no such thing."""
    status = answer.status_code
    if status >= 500 and status != HTTPStatus.SERVICE_UNAVAILABLE:  # there is no Redis here
        return f"{status}"
    if address.route in OPEN or actor == "alice":
        return ""
    if actor == "stranger":
        return "" if is_refused(answer) else f"{status} for a stranger"
    if address.is_admin:
        is_closed = actor == "ada" or status in {302, 403, 404, 405}
        return "" if is_closed else f"{status} for a member"
    return told(actor, verb, address, answer, nothing) if address.is_hidden_from(actor) else ""


def told(actor: str, verb: str, address: Address, answer: Any, nothing: Any) -> str:
    """What an answer says that the one where there is nothing does not say."""
    if answer.status_code != nothing.status_code or answer.status_code < 400:
        return f"{answer.status_code} for {actor}; where nothing is {nothing.status_code}"
    if verb == "head" or b"csrf" in answer.content:  # which is another one each time
        return ""
    said = answer.content
    for thing in address.things:
        said = said.replace(str(thing.value).encode(), NOBODYS.encode())
    return "" if said == nothing.content else f"tells {actor} that it is there"


@pytest.mark.parametrize("actor", ["alice", "bob", "ada", "stranger"])
def test_every_address_by_every_verb(
    alice: User, bob: User, ada: User, addresses: list[Address], actor: str
) -> None:
    user = {"alice": alice, "bob": bob, "ada": ada}.get(actor)
    client = Browser(user)
    wrong = {}
    for address in addresses:
        for verb in address.verbs:
            if address.route.endswith("/logout/"):
                continue
            answer = answer_to(client, verb, address.url)
            hides = user is not None and address.is_hidden_from(actor)
            nothing = answer_to(client, verb, address.missing) if hides else answer
            if said := problem(actor, verb, address, answer, nothing):
                wrong[f"{verb} {address.route}"] = said
    assert wrong == {}


def test_the_owner_reaches_each_thing(alice: User, addresses: list[Address]) -> None:
    """Else the matrix would only show that nothing is there for anybody."""
    client = Browser(alice)
    unreached = []
    for address in addresses:
        if not address.things or address.is_admin:
            continue
        answers = (answer_to(client, verb, address.url) for verb in VERBS)
        if all(answer.status_code in {404, 405} for answer in answers):
            unreached.append(address.route)
    assert set(unreached) <= EMPTY_HANDED


EMPTY_HANDED: set[str] = {
    "/datasets/<int:pk>/download/", "/datasets/<int:pk>/restore/", "/datasets/<int:pk>/purge/",
    "/datasets/<int:pk>/rows/edit/", "/datasets/<int:pk>/rows/whole/",
    "/datasets/uploads/<uuid:pk>/", "/api/v1/datasets/uploads/<uuid:upload_id>",
    "/api/v1/datasets/<int:dataset_id>/download",
    "/api/v1/datasets/<int:dataset_id>/rows.jsonl", "/runs/<int:pk>/log.txt",
    "/runs/compare/charts/<slug:name>.json", "/runs/compare/charts/<slug:name>.csv",
    "/runs/<int:pk>/restore/", "/runs/<int:pk>/purge/", "/api/v1/runs/<int:run_id>/restore",
    "/api/v1/exports/<int:export_id>/download",
    "/models/<int:pk>/restore/", "/models/<int:pk>/purge/",
    "/api/v1/models/<int:model_id>/restore", "/api/v1/models/aliases/<str:name>",
    "/api/v1/models/<int:model_id>/exports/<int:export_id>/download",
}  # fmt: skip
"""What needs more than the thing itself: a file, a header, a row's number, runs to compare."""


def test_the_superuser_reaches_runs(ada: User, addresses: list[Address]) -> None:
    client = Browser(ada)
    pages = [
        a for a in addresses if a.things and a.route in {"/runs/<int:pk>/", "/runs/<int:pk>/log/"}
    ]
    assert [answer_to(client, "get", page.url).status_code for page in pages] == [200, 200]


def test_the_description_of_the_api_has_every_operation(alice: User) -> None:
    """And the URLconf every path of the description: the matrix is of both."""
    client = Browser(alice)
    described: set[str] = set()
    for prefix in ("/api/v1", "/v1"):
        paths = client.get(f"{prefix}/openapi.json").json()["paths"]
        described |= {re.sub(r"\{\w+\}", "*", path) for path in paths}
    known = {
        PARAMETER.sub("*", route)
        for route in routes()
        if route.startswith(("/api/", "/v1/")) and not route.endswith(("docs", "openapi.json"))
    }
    assert {path for path in known if not path.endswith("/")} == described


def test_others_see_none_of_it_in_lists(alice: User, bob: User, things: dict[str, Thing]) -> None:
    client = Browser(bob)
    make_dataset(alice)
    lists = (
        "datasets/",
        "runs/",
        "models/",
        "deployments/",
        "queue/",
        "playground/",
        "search/?q=m",
    )
    for address in ("/", *map("/{}".format, lists)):
        page = client.get(address).content.decode()
        assert f"/runs/{things['/runs/pk'].value}/" not in page
        assert f"/models/{things['/models/pk'].value}/" not in page
        assert f"/deployments/{things['/deployments/pk'].value}/" not in page
    for address in ("runs", "datasets", "models", "deployments"):
        items = client.get(f"/api/v1/{address}").json()["items"]
        assert [
            item for item in items if item.get("name") in {"mine", "first", "questions", "deployed"}
        ] == []
    assert Dataset.objects.visible_to(bob).count() == 0
