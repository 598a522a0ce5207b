"""A site for all journeys, a browser and a person for each module of them."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.e2e.api_client import ApiClient
from tests.fresh_environment import FreshEnvironment
from tests.site_process import PATIENCE_SECONDS, ROOT, running_site

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
PATIENCE_MS = 1000 * PATIENCE_SECONDS
expect.set_options(timeout=PATIENCE_MS)
PASSWORD = "petrol-and-hairlines"
MAKES_ACCOUNT = (
    "from django.contrib.auth.models import User; User.objects.create_user({name!r}, "
    "password={password!r})"
)


@pytest.fixture(autouse=True)
def each_test_has_its_site(own_site: None) -> None: ...


@pytest.fixture(scope="package")
def installed(tmp_path_factory: pytest.TempPathFactory) -> FreshEnvironment:
    """An environment with the wheel in it, which is made of the sdist as in a release."""
    folder = tmp_path_factory.mktemp("wheel")
    environment = FreshEnvironment(folder / "venv")
    build = ("python", "-m", "hatchling", "build", "--target", "sdist", "--directory", folder)
    environment.run(*build, cwd=ROOT)
    pip = ("pip", "wheel", "--no-deps", "--wheel-dir", folder)
    environment.run(*pip, *folder.glob("*.tar.gz"), cwd=folder)
    environment.run("pip", "install", "--no-deps", *folder.glob("*.whl"), cwd=folder)
    return environment


@pytest.fixture(scope="package")
def site(installed, tmp_path_factory):
    """What was installed, started once for all journeys: each has a person of its own, so that
    none sees another's things."""
    folder = tmp_path_factory.mktemp("site")
    with running_site(folder, maxft=[str(installed.bin / "maxft")]) as site:
        yield site


@pytest.fixture(scope="module")
def client(site):
    return ApiClient(site.url, site.manage("create_token", "scripts"))


@pytest.fixture(scope="package")
def people():
    """Who has an account by now."""
    return []


@pytest.fixture(scope="module")
def browser():
    names = ("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, names)), None)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(site, browser, people, request):
    """A new person's browser; what its console complains of fails the test that saw it."""
    # Without animations, for which a browser without a GPU would draw all the time.
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.set_default_timeout(PATIENCE_MS)
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "console",
        lambda line: page.complaints.append(line.text) if line.type == "error" else None,
    )
    people.append(request.module.__name__.rpartition(".")[2])
    enter = set_up if len(people) == 1 else sign_in
    enter(page, site, people[-1])
    expect(page.get_by_role("heading", name="Your first model in three steps")).to_be_visible()
    return page


def set_up(page, site, name):
    """Make the site's first account, the owner's."""
    page.goto(site.first_visit)
    page.locator("[name=username]").fill(name)
    for field in ("password1", "password2"):
        page.locator(f"[name={field}]").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()


def sign_in(page, site, name):
    """With an account that the owner might have made."""
    site.manage("shell", "-v0", "-c", MAKES_ACCOUNT.format(name=name, password=PASSWORD))
    page.goto(f"{site.url}/login/")
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
