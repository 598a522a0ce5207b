"""The frame of every page."""

import pytest
from django.contrib.auth.models import User

from maxft_site.web import context
from maxft_site.web.context import RunningWork, ShellPart


@pytest.fixture
def provider(monkeypatch):
    def part(user: User) -> ShellPart:
        return ShellPart({"runs": 1204}, [RunningWork(f"Run of {user}", 0.613, "/runs/7/")])

    monkeypatch.setattr(context, "providers", [part])


def test_the_rail_shows_what_the_apps_hand_in(alice_client, provider):
    page = alice_client.get("/settings/").content.decode()
    assert "Run of alice" in page
    assert "61 %" in page


def test_the_page_it_is_on_is_marked(alice_client):
    page = alice_client.get("/settings/").content.decode()
    assert page.count('aria-current="page"') == 1
    assert 'href="/settings/" aria-current="page"' in page


def test_a_visitor_is_sent_to_sign_in(client, db):
    assert client.get("/settings/")["Location"] == "/login/?next=/settings/"
