"""Every address of the site: nothing for strangers, nothing changes by looking, no open forms."""

from __future__ import annotations

import re
from uuid import UUID

from django.test import Client
from django.urls import URLPattern, get_resolver

OPEN = {"/login/", "/setup/", "/healthz", "/favicon.ico", "/admin/login/", "/admin/jsi18n/",
        "/invitation/x/x/"}  # fmt: skip
VALUES = {"int": "1", "uuid": str(UUID(int=1)), "str": "x", "slug": "x", "path": "x"}


def addresses(patterns=None, prefix="/"):
    """Every address of ours, with values put in for its parameters."""
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            filled = re.sub(r"<(?:(\w+):)?\w+>", lambda m: VALUES.get(m[1] or "str", "x"), route)
            if "(" not in filled:
                yield filled
        else:
            yield from addresses(pattern.url_patterns, route)


ALL = sorted(set(addresses()) - OPEN)
OURS = [url for url in ALL if not url.startswith("/admin/")]


def test_addresses_are_found():
    assert {"/settings/", "/runs/new/", "/api/v1/runs", "/v1/models"} <= set(ALL)


def is_refused(answer):
    to_door = answer.status_code == 302 and "/login/" in answer["Location"]
    return to_door or answer.status_code in (401, 404, 405)


def test_strangers_see_nothing(client, db):
    asked = {(url, ask.__name__): ask(url) for url in ALL for ask in (client.get, client.post)}
    assert {at: answer for at, answer in asked.items() if not is_refused(answer)} == {}


def test_forms_need_their_token(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    pages = [url for url in OURS if not url.startswith(("/api/", "/v1/"))]
    answers = {url: client.post(url).status_code for url in pages}
    assert {url: status for url, status in answers.items() if status not in (403, 405)} == {}
