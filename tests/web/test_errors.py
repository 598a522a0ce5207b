"""Pages for what goes wrong, the health page, security headers."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import include, path

from maxaillm.dev.finetune.errors import DataError
from maxft_site.urls import handler404, handler500  # noqa: F401
from maxft_site.urls import urlpatterns as site


def refused(request):
    raise DataError("Row 1,204 has no answer.", "Fill it in and upload the file again.")


def broken(request):
    raise RuntimeError("secret detail")


urlpatterns = [
    path("refused/", refused),
    path("broken/", broken),
    path("api/v1/broken", broken),
    path("", include(site)),
]


@pytest.mark.urls("tests.web.test_errors")
class TestPages:
    def test_a_failure_of_ours_is_a_page_with_the_next_step(self, alice_client):
        answer = alice_client.get("/refused/")
        assert answer.status_code == 400
        for words in ("Row 1,204 has no answer.", "Fill it in and upload the file again."):
            assert words in answer.content.decode()

    def test_htmx_gets_it_as_a_notice(self, alice_client):
        answer = alice_client.get("/refused/", headers={"HX-Request": "true"})
        assert answer.status_code == 400
        assert answer["HX-Retarget"] == "#notices"
        assert "<html" not in answer.content.decode()

    def test_a_broken_page_says_so_without_details(self, alice_client):
        alice_client.raise_request_exception = False
        answer = alice_client.get("/broken/")
        assert answer.status_code == 500
        assert "Something broke" in answer.content.decode()
        assert "secret detail" not in answer.content.decode()
        api = alice_client.get("/api/v1/broken")
        assert api.json()["error"]["code"] == "server_error"


def test_what_is_missing(alice_client):
    page = alice_client.get("/nowhere/")
    assert page.status_code == 404
    assert "There is nothing here" in page.content.decode()
    assert alice_client.get("/api/v1/nowhere").json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("page", ["/datasets/", "/runs/", "/search/"])
def test_what_no_database_can_look_for_is_left_out(alice_client, page):
    with_nul = alice_client.get(f"{page}?q=sam%00ple")
    assert with_nul.status_code == 200
    assert 'value="sample"' in with_nul.content.decode()


def test_a_form_without_its_token_gets_our_page(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    answer = client.post("/settings/keys/", {"name": "x"})
    assert answer.status_code == 403
    assert "reload the page" in answer.content.decode()


def test_health_needs_no_account(client, db):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_probes_are_answered_without_the_proxy(client, db, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/healthz").status_code == 200
    assert client.get("/login/").status_code == 301


@pytest.mark.parametrize("url", ["/login/", "/settings/", "/nowhere/", "/healthz"])
def test_every_page_is_strict(alice_client, url):
    headers = alice_client.get(url).headers
    policy = headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_nothing_is_written_inline(alice_client):
    for url in ("/settings/", "/login/", "/search/?q=x"):
        page = alice_client.get(url, follow=True).content.decode()
        assert "<style" not in page
        assert " style=" not in page
        assert "<script>" not in page
