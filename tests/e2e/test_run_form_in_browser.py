"""The form of a run under one's hands: mistakes at their fields, the last figures, what applies."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def form(page, site):
    """A new run on the sample, once that is checked."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{site.url}/datasets/")
    expect(page.get_by_role("cell", name="Ready")).to_be_visible()
    page.goto(f"{site.url}/runs/new/")
    expect(page.get_by_role("button", name="Start training")).to_be_visible()
    return page


def test_a_mistake_is_told_at_its_field_as_one_types(form):
    form.get_by_text("Advanced, data").click()
    share = form.get_by_label("Share held out for validation")
    share.fill("0.9")
    wrong = form.locator(".field-error").filter(has_text="“0.9” is out of range")
    expect(wrong).to_be_visible()
    expect(form.locator("[name=data-validation_share]")).to_be_focused()
    expect(form.get_by_text("As it was before the mistake")).to_be_visible()
    expect(form.locator("#figures .meter")).to_be_visible()
    form.get_by_role("spinbutton", name="Epochs").fill("2")  # what stands elsewhere stays
    form.locator("aside a.btn").filter(has_text="Put right: Share held out").click()
    expect(share).to_be_focused()
    share.fill("0.1")
    expect(wrong).to_have_count(0)
    expect(form.get_by_role("button", name="Start training")).to_be_visible()
    expect(form.get_by_text("As it was before the mistake")).to_be_hidden()
    expect(form.get_by_role("spinbutton", name="Epochs")).to_have_value("2")
    assert form.complaints == []


def test_another_method_brings_its_options_and_takes_those_without_a_use(form):
    form.locator("[name=tuning-r]").fill("77")
    expect(form.get_by_label("Packing")).to_be_visible()
    form.get_by_text("P-tuning v2", exact=True).click()
    expect(form.get_by_label("Virtual tokens")).to_have_value("20")
    expect(form.get_by_label("Packing")).to_have_count(0)
    form.get_by_text("DoRA", exact=True).click()
    expect(form.locator("[name=tuning-r]")).to_have_value(re.compile("^(8|16)$"))
    expect(form.get_by_label("Packing")).to_be_visible()
    assert form.complaints == []


def test_the_start_is_in_sight_on_a_phone(form):
    form.set_viewport_size({"width": 360, "height": 740})
    start = form.locator(".startbar button")
    expect(start).to_be_in_viewport()
    form.locator("[name=training-learning_rate]").scroll_into_view_if_needed()
    expect(start).to_be_in_viewport()
    assert form.complaints == []
