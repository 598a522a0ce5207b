"""The life of runs by keyboard alone, beside another person; the site restarts in the middle."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.api_client import ApiClient
from tests.e2e.conftest import sign_in
from tests.site_process import ROOT

pytestmark = pytest.mark.browser

MOST_TABS = 400
IS_SEEN = """element => [element, element.closest("label")].some(one => {
  const style = one && getComputedStyle(one);
  return style && (style.outlineStyle !== "none" || style.boxShadow !== "none");
})"""
"""Whether the element that has the focus, or its label, shows that."""
LONG, SHORT = 5_000, 4
"""Steps."""


class Keys:
    """A person without a mouse."""

    def __init__(self, page, url):
        self.page, self.url = page, url

    def go(self, path):
        self.page.goto(self.url + path)

    def to(self, target):
        """Go on by Tab until `target` has the focus, which is to be seen."""
        expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            if target.evaluate("element => element === document.activeElement"):
                assert target.evaluate(IS_SEEN)
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{target} is not reached by Tab")

    def press(self, target, key="Enter"):
        self.to(target)
        self.page.keyboard.press(key)

    def type(self, target, text):
        self.to(target)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def button(self, name):
        return self.page.get_by_role("button", name=name).first

    def new_run(self, before=0):
        """The number of the run whose page comes next."""
        self.page.wait_for_url(re.compile(rf"/runs/(?!{before}/)\d+/$"))
        return int(self.page.url.rstrip("/").rpartition("/")[2])


@pytest.fixture(scope="module")
def keys(page, site):
    return Keys(page, site.url)


@pytest.fixture(scope="module")
def beside(page, browser, site):
    """Another member, in a browser of their own."""
    other = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    sign_in(other, site, "beside")
    return Keys(other, site.url)


@pytest.fixture(scope="module")
def script(page, site, people):
    """The API with the key of who sits at the keyboard, to see what came of it."""
    return ApiClient(site.url, site.manage("create_token", people[-1]))


def launch(keys, steps):
    """From a preset on, which opens the options that it sets."""
    keys.go("/datasets/")
    expect(keys.page.get_by_role("cell", name="Ready")).to_be_visible()
    keys.go("/runs/new/")
    keys.press(keys.page.locator("[name=preset]:checked"), "ArrowDown")
    stop = keys.page.get_by_role("spinbutton", name="Stop after")
    expect(stop).to_have_value("60")
    keys.type(stop, str(steps))
    expect(keys.page.locator("#figures")).to_contain_text(f"{steps:,}")
    keys.press(keys.button(re.compile("^Start training")))
    return keys.new_run()


def status(keys, word):
    expect(keys.page.locator("#run-status .status").filter(has_text=word).first).to_be_visible()


def test_a_life_by_keyboard(keys, beside, script, site):
    page = keys.page
    long = launch(keys, LONG)
    status(keys, "Training")
    first, second = launch(keys, SHORT), launch(keys, SHORT)

    theirs = launch(beside, SHORT)
    beside.go("/queue/")
    expect(beside.page.locator(f"[data-run='{theirs}'] .grip b")).to_have_text("1")  # has had less
    for run in (long, first):
        assert beside.page.goto(f"{site.url}/runs/{run}/").status == 404
        expect(beside.page.get_by_text(f"Run {run} ")).to_have_count(0)
    keys.go("/runs/")
    expect(page.locator(f"#choose-{first}")).to_be_visible()
    expect(page.locator(f"#choose-{theirs}")).to_have_count(0)

    keys.go("/queue/")
    keys.press(keys.button(f"Move run {second} up"))
    mine = page.locator(".queue-item[draggable=true]")
    expect(mine.first).to_have_attribute("data-run", str(second))

    step = script.get(f"/runs/{long}")["step"]
    assert page.complaints == []
    site.restart()
    beside.go(f"/runs/{theirs}/")
    status(beside, "Finished")  # as soon as the device was free
    keys.go(f"/runs/{long}/")
    page.complaints.clear()  # of a site that was not there
    status(keys, "Training")
    assert script.get(f"/runs/{long}")["step"] >= step  # it has lost none
    keys.press(keys.button("Pause"))
    status(keys, "Paused")
    ends = {run: script.run_until(run, "succeeded") for run in (first, second)}
    assert ends[second]["started"] < ends[first]["started"]

    keys.go(f"/runs/{long}/")
    keys.press(keys.button("Resume"))
    status(keys, "Training")
    keys.press(keys.button("Stop…"))
    keys.press(page.get_by_role("dialog").get_by_role("button", name="Stop"))
    status(keys, "Stopped")

    keys.go(f"/runs/{first}/")
    keys.press(page.locator("#extend > summary"))
    keys.type(page.get_by_label("By", exact=True), "2")
    expect(page.locator("#extend-about")).to_contain_text("A new run goes on")
    keys.press(page.get_by_label("Epochs or steps"), "ArrowDown")
    expect(page.locator("#extend-about")).to_contain_text("to step 6")
    keys.press(keys.button("Extend"))
    extended = keys.new_run(first)
    assert script.run_until(extended, "succeeded")["step"] == 6

    keys.go("/runs/")
    for run in (extended, second, first):
        page.locator("body").press("Home")
        keys.press(page.locator(f"#choose-{run}"), "Space")
    keys.press(keys.button("Compare"))
    expect(page.get_by_role("heading", name="3 runs compared")).to_be_visible()
    fair = page.get_by_role("region", name="Is it a fair comparison?")
    keys.press(fair.get_by_role("link").first)
    expect(page.locator(".clone-note")).to_contain_text("Seed")
    keys.press(keys.button(re.compile("^Start training")))
    assert keys.new_run() > extended
    assert page.complaints == []


AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
"""Of npm, for who changes pages: `./maxft test` installs it."""
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
EVERYWHERE = (
    *("/", "/search/?q=run", "/models/", "/playground/", "/queue/"),
    *("/datasets/", "/datasets/new/", "/datasets/join/"),
    *("/runs/", "/runs/?query=%3E", "/runs/deleted/", "/runs/compare/", "/runs/new/"),
    *("/settings/", "/settings/notifications/", "/settings/password/"),
)
OF_A_DATASET = ("", "findings/", "statistics/", "splits/", "versions/", "runs/", "tokens/")


def addresses(script):
    """Every kind of page, of what a life has left."""
    ended = [run["id"] for run in script.get("/runs", status="succeeded")["items"]]
    stopped = script.get("/runs", status="cancelled")["items"][0]["id"]
    assert len(ended) >= 3
    dataset = script.get("/datasets")["items"][0]["id"]
    model = script.get("/models")["items"][-1]["id"]
    yield from EVERYWHERE
    yield from (f"/datasets/{dataset}/{tab}" for tab in OF_A_DATASET)
    yield from (f"/runs/{ended[0]}/", f"/runs/{stopped}/", f"/runs/{ended[0]}/charts/loss/")
    yield f"/runs/compare/?run={ended[0]}&run={ended[1]}&run={ended[2]}"
    yield from (f"/runs/new/?clone={ended[0]}&view={view}" for view in ("form", "yaml", "python"))
    yield f"/models/{model}/"


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm ci")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(page, browser, script, site, theme):
    """WCAG 2.2 A and AA; where a theme may make a difference alone in the second one."""
    asked = {"runOnly": LEVELS} if theme == "light" else {"runOnly": ["color-contrast"]}
    context = browser.new_context(
        viewport={"width": 1280, "height": 900},
        bypass_csp=True,
        color_scheme=theme,
        storage_state=page.context.storage_state(),
    )
    shown, source, found = context.new_page(), AXE.read_text(), []

    def look(path):
        shown.evaluate(source)
        for broken in shown.evaluate("asked => axe.run(asked)", asked)["violations"]:
            found.extend((path, broken["id"], node["html"][:200]) for node in broken["nodes"])

    for path in addresses(script):
        assert shown.goto(site.url + path).status in {200, 422}, path
        look(path)
    shown.goto(f"{site.url}/runs/")
    shown.locator("#rows input[name=run]").first.check()
    shown.get_by_role("button", name="Delete…").click()
    expect(shown.get_by_role("heading", name="Delete 1 run?")).to_be_visible()
    look("the page that asks before it deletes")
    context.close()
    assert found == []
