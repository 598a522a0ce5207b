"""A site and a browser for a module of journeys: the owner's, who made the first account."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.site_process import running_site

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SECONDS = 1000


@pytest.fixture(autouse=True)
def each_test_has_its_site(own_site: None) -> None: ...


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def browser():
    names = ("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, names)), None)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(site, browser):
    """The owner's browser; what its console complains of fails the test that saw it."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(30 * SECONDS)
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "console",
        lambda line: page.complaints.append(line.text) if line.type == "error" else None,
    )
    page.goto(site.first_visit)
    page.locator("[name=username]").fill("owner")
    for name in ("password1", "password2"):
        page.locator(f"[name={name}]").fill("petrol-and-hairlines")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("heading", name="Your first model in three steps")).to_be_visible()
    return page
