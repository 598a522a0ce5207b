"""A file's way in headless Chromium: mapped, mended, split, seen token by token, trained on."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

TOWNS = [f"Where is town {n}?;In land {n % 40}.;{n}" for n in range(120)]
ROWS = ["vraag;antwoord;nr", *TOWNS, *TOWNS[:30], "Where is nothing?;;121"]


@pytest.fixture(scope="module")
def dataset(page, site, tmp_path_factory):
    """The file uploaded and its columns mapped; the address of the dataset."""
    path = tmp_path_factory.mktemp("data") / "towns.csv"
    path.write_text("\n".join(ROWS))
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{site.url}/datasets/new/")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Upload and check").click()
    page.wait_for_url(re.compile(r"/datasets/\d+/$"))
    page.get_by_role("link", name="Choose the columns").click()
    page.get_by_label("vraag").select_option("prompt")
    page.get_by_label("antwoord").select_option("completion")
    expect(page.get_by_text("Nothing is missing.")).to_be_visible()
    page.get_by_role("button", name="Check the file with these columns").click()
    page.wait_for_url(re.compile(r"/datasets/\d+/$"))
    ready(page, 1)
    return page.url


def ready(page, number):
    """Wait until version `number` is checked."""
    expect(page.locator(".facts")).to_contain_text(f"v{number}")
    expect(page.get_by_role("link", name="Train on it")).to_be_visible()


def make(page, number):
    page.get_by_role("button", name=f"Make v{number}").click()
    page.wait_for_url(re.compile(r"/datasets/\d+/$"))
    ready(page, number)


@pytest.fixture
def big_file(tmp_path):
    """One that is sent in two pieces."""
    path = tmp_path / "big.jsonl"
    rows = (f'{{"text": "Row {number}: {str(number) * 200}"}}\n' for number in range(12_000))
    path.write_text("".join(rows))
    return path


def upload(page, site, path):
    """Once the page's module is there: without it a plain form would send the file."""
    page.goto(f"{site.url}/datasets/new/", wait_until="networkidle")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Upload and check").click()


def test_files_sent_together_say_what_came_of_each(page, site, tmp_path):
    good, asked, bad = (tmp_path / name for name in ("good.jsonl", "asked.csv", "bad.jsonl"))
    good.write_text('{"prompt": "a", "completion": "b"}\n' * 3)
    asked.write_text("vraag,antwoord\nWat?,Dat.\n")
    bad.write_text("{oops\n")
    upload(page, site, [good, asked, bad])
    for words in ("good: ready, 3 rows", "asked: say which column is which", "bad: None of"):
        expect(page.locator("#uploads")).to_contain_text(words)


@pytest.fixture
def requests(page):
    """What uploads ask of the site: the second piece is lost, the first HEAD answered by a 503."""
    asked = []

    def meddle(route):
        method = route.request.method
        asked.append((method, route.request.headers.get("upload-offset")))
        turn = sum(before == method for before, _ in asked)
        if (method, turn) == ("PATCH", 2):
            return route.abort()
        if (method, turn) == ("HEAD", 1):
            return route.fulfill(status=503)
        return route.continue_()

    page.route("**/datasets/uploads/**", meddle)
    yield asked
    page.unroute("**/datasets/uploads/**")
    lost = [line for line in page.complaints if "Failed to load resource" in line]
    page.complaints[:] = [line for line in page.complaints if line not in lost]


@pytest.mark.parametrize("reload", [False, True])
def test_an_upload_goes_on_where_it_was_cut_off(page, site, big_file, requests, reload):
    """A piece is lost, a proxy says that the site is away, and perhaps the page is reloaded."""
    upload(page, site, big_file)
    if reload:
        expect(page.get_by_text("the connection is lost")).to_be_visible()
        upload(page, site, big_file)
    page.wait_for_url(re.compile(r"/datasets/\d+/$"))
    methods = [method for method, _ in requests]
    assert methods.count("POST") == 2  # begun once, imported once
    pieces = [int(offset) for method, offset in requests if method == "PATCH"]
    assert pieces == [0, 8 * 2**20, 8 * 2**20]
    assert methods.count("HEAD") >= 2


def test_every_row_is_counted_and_faults_are_named(page, dataset):
    page.goto(dataset)
    facts = page.locator(".facts")
    expect(facts).to_contain_text("150 rows")
    expect(facts).to_contain_text("1 left out")
    page.get_by_role("link", name="Findings").first.click()
    expect(page.get_by_role("heading", name="Duplicates: 30 rows")).to_be_visible()
    assert page.complaints == []


def test_a_click_mends_and_the_next_brings_it_back(page, dataset):
    page.goto(f"{dataset}findings/?code=duplicate")
    finding = page.locator(".finding").filter(has_text="Duplicates: 30 rows")
    finding.get_by_role("link", name="Drop the rows…").click()
    expect(page.get_by_text("Of 150 rows, 30 will be left out")).to_be_visible()
    make(page, 2)
    expect(page.locator(".facts")).to_contain_text("120 rows")
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("button", name="Back to v1").click()
    ready(page, 3)
    expect(page.locator(".facts")).to_contain_text("150 rows")
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("button", name="Back to v2").click()
    ready(page, 4)
    assert page.complaints == []


def test_rows_are_split_and_the_test_rows_locked(page, dataset):
    page.goto(f"{dataset}splits/")
    page.get_by_role("button", name="Show what will change").click()
    expect(page.get_by_text("Of 120 rows, 120 will be changed")).to_be_visible()
    make(page, 5)
    page.get_by_role("link", name="Splits").click()
    page.get_by_role("button", name="Lock the test rows").click()
    expect(page.get_by_text("The test rows are locked")).to_be_visible()
    assert page.complaints == []


def test_what_the_model_will_see_is_shown_and_trained_on(page, dataset):
    page.goto(f"{dataset}tokens/")
    token = page.locator(".tok[data-kind=trained]")
    expect(token.nth(3)).to_be_visible()
    page.get_by_role("link", name="Train on it").click()
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    page.locator("[name=training-max_steps]").fill("3")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/runs/\d+/$"))
    page.get_by_role("link", name="Chat with it").first.wait_for()
    expect(page.locator("main")).to_contain_text("v5")
    assert page.complaints == []


def test_tokens_of_a_row_and_lengths_of_all(page, site):
    """The row and the plot come without a reload; a shorter maximum length strikes tokens."""
    page.goto(f"{site.url}/datasets/")
    page.get_by_role("link", name="MaxFT guide").first.click()
    page.get_by_role("link", name="Tokens", exact=True).click()
    token = page.locator(".tok[data-kind=trained]").nth(5)
    expect(token).to_be_visible()
    plot = page.locator("#tokens .js-plotly-plot .main-svg").first
    expect(plot).to_be_visible()
    page.get_by_text("As a table").click()
    expect(page.get_by_role("columnheader", name="Tokens")).to_be_visible()
    page.get_by_role("link", name="Row after").click()
    expect(page.get_by_role("heading", name="Row 2")).to_be_visible()
    expect(token).to_be_visible()
    page.get_by_label("Maximum length").fill("24")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".tok[data-kind=cut]").nth(1)).to_be_visible()
    expect(page.get_by_text("are cut")).to_be_visible()
    assert page.complaints == []


PARTS = (
    "", "findings/", "statistics/", "tokens/", "splits/", "versions/", "runs/", "mapping/",
    "change/", "change/trim/?asked=1", "../", "../join/",
)  # fmt: skip
SCROLLING_TABLES = """() => [...document.querySelectorAll(".table-wrap, .tabs, .segmented")]
  .filter(each => each.scrollWidth > each.clientWidth).map(each => each.className)"""


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("part", PARTS)
def test_no_page_of_a_data_set_scrolls_sideways(page, dataset, part, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{dataset}{part}")
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(SCROLLING_TABLES) == []
    assert page.complaints == []
