"""A new user's way in headless Chromium: from the first address to a chat with the tuned model."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from time import monotonic

import pytest
from playwright.sync_api import expect

from tests.site_process import PATIENCE_SECONDS, ROOT

pytestmark = pytest.mark.browser

REAL_FILE = (
    Path(os.environ.get("MAXFT_TEST_DATA") or ROOT.parent / "shared")
    / "data/instruction/mlx_prompt_completion_train.jsonl"
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The real file where there is one, else one like it."""
    if REAL_FILE.exists():
        return REAL_FILE
    path = tmp_path_factory.mktemp("data") / "capitals.jsonl"
    rows = [{"prompt": f"Where is town {n}?", "completion": f"In land {n}."} for n in range(300)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture(scope="module")
def dataset(page, site, file):
    """Upload the file as a person does; its page, once it is checked."""
    page.goto(f"{site.url}/datasets/new/")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    page.wait_for_url(re.compile(r"/datasets/\d+/$"))
    train = page.get_by_role("link", name="Train on it")
    expect(train).to_be_visible()
    return page.url


def launch(page, dataset, **fields):
    page.goto(dataset)
    page.get_by_role("link", name="Train on it").click()
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    for name, value in {"data__max_length": 64, **fields}.items():
        page.locator(f"[name={name.replace('__', '-')}]").fill(str(value))
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/runs/\d+/$"))


def points(page):
    """How many points the browser has drawn of the training loss."""
    return page.evaluate("() => document.querySelector('.js-plotly-plot')?.data?.[0].x.length ?? 0")


def wait_for_points(page, more_than):
    """The page's strict policy forbids the evaluation that Playwright's own waiting needs."""
    end = monotonic() + PATIENCE_SECONDS
    while points(page) <= more_than:
        assert monotonic() < end, f"only {points(page)} points"
        page.wait_for_timeout(100)


def test_the_uploaded_rows_are_counted_and_shown(page, dataset, file):
    page.goto(dataset)
    rows = len(file.read_text().splitlines())
    expect(page.locator("main")).to_contain_text(f"{rows:,}")
    assert page.complaints == []


def test_a_run_moves_without_reload_and_is_cancelled(page, dataset):
    launch(page, dataset, training__num_train_epochs=500, training__logging_steps=1)
    wait_for_points(page, more_than=3)
    wait_for_points(page, more_than=points(page))
    page.get_by_role("button", name="Stop…").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Stop")).click()
    expect(page.locator(".status").filter(has_text="Stopped").first).to_be_visible()
    assert page.complaints == []


def test_a_run_ends_and_its_model_answers_beside_the_base(page, dataset):
    launch(page, dataset, training__num_train_epochs=5, training__max_steps=20)
    chat = page.get_by_role("link", name="Chat with it").first
    chat.wait_for()
    wait_for_points(page, more_than=19)
    page.reload()
    wait_for_points(page, more_than=19)

    page.get_by_role("link", name="Chat with it").first.click()
    page.locator("[name=question]").fill("What is Super Bowl LIX?")
    page.locator("#send").click()
    answers = page.locator(".duel .bubble[data-role=assistant]")
    expect(answers).to_have_count(2)
    expect(page.locator("[data-stream]")).to_have_count(0)
    expect(page.locator(".bubble-foot").filter(has_text="tokens")).to_have_count(2)
    page.reload()
    expect(answers).to_have_count(2)
    assert page.complaints == []


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(
    "address", ["/", "/datasets/", "/runs/", "/runs/new/", "/models/", "/playground/", "/queue/"]
)
def test_no_page_scrolls_sideways(page, site, address, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(site.url + address)
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert page.complaints == []
