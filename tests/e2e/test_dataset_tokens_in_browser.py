"""What a model will see of a data set, token by token, in headless Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import SECONDS

pytestmark = pytest.mark.browser
STARTING = 90 * SECONDS
"""Right after its start the site still imports the engine."""


def test_tokens_of_a_row_and_lengths_of_all(page, site):
    """The row and the plot come without a reload; the next row follows a link."""
    page.goto(f"{site.url}/datasets/")
    page.get_by_role("link", name="MaxFT guide").first.click()
    page.get_by_role("link", name="Tokens", exact=True).click()
    expect(page.locator(".tok[data-kind=trained]").nth(5)).to_be_visible(timeout=STARTING)
    plot = page.locator("#tokens .js-plotly-plot .main-svg").first
    expect(plot).to_be_visible(timeout=STARTING)
    page.get_by_text("As a table").click()
    expect(page.get_by_role("columnheader", name="Tokens")).to_be_visible()
    page.get_by_role("link", name="Row after").click()
    expect(page.get_by_role("heading", name="Row 2")).to_be_visible()
    expect(page.locator(".tok[data-kind=trained]").nth(5)).to_be_visible()


def test_a_shorter_maximum_length_strikes_tokens(page):
    page.get_by_label("Maximum length").fill("24")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".tok[data-kind=cut]").nth(1)).to_be_visible(timeout=STARTING)
    expect(page.get_by_text("are cut")).to_be_visible(timeout=STARTING)
    assert not page.complaints
