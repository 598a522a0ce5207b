"""Numbers with their units, states, icons and controls, as templates show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django import forms
from django.template import engines
from django.utils import timezone

from maxft_site.web.templatetags import ui


def shown(source, **context):
    return engines["django"].from_string("{% load ui %}" + source).render(context).strip()


@pytest.mark.parametrize(
    ("number", "words"),
    [(None, "–"), (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"),
     (3_200_000, "3.2 MB"), (24e9, "24.0 GB"), (5e18, "5,000.0 PB")],
)  # fmt: skip
def test_bytes(number, words):
    assert ui.size(number) == words


def test_bytes_of_a_limit():
    assert ui.bytes_of(17.6e9, 24e9) == "17.6 of 24.0 GB"
    assert ui.bytes_of(5, 800) == "5 of 800 bytes"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (-1, "0.0 s"), (0.44, "0.4 s"), (12, "12 s"), (60, "1 min"), (1140, "19 min"),
     (3600, "1 h"), (7500, "2 h 5 min"), (273_600, "3 d 4 h"), (timedelta(days=2), "2 d")],
)  # fmt: skip
def test_duration(seconds, words):
    assert ui.duration(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(None, "–"), (0, "0"), (1.0712, "1.07"), (0.41249, "0.412"), (7e-5, "7.0e-5"),
     (21.34, "21.3"), (3900.4, "3,900"), (-0.5, "-0.500"), (float("nan"), "nan")],
)  # fmt: skip
def test_significant_figures(number, words):
    assert ui.sig(number) == words


def test_count_and_percent():
    assert ui.count(1204) == "1,204"
    assert ui.percent(0.612) == "61 %"
    assert ui.percent(0.9142, 1) == "91.4 %"
    assert ui.percent(None) == ui.count(None) == "–"


def test_ago_keeps_the_absolute_time():
    now = timezone.now()
    assert ">just now</time>" in ui.ago(now)
    assert ">5 min ago</time>" in ui.ago(now - timedelta(minutes=5))
    assert ">in 2 h</time>" in ui.ago(now + timedelta(hours=2, seconds=5))
    assert 'title="2026-01-02 03:04 UTC"' in ui.ago(datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    assert ui.ago(None) == "–"


def test_a_state_is_colour_and_icon_and_word():
    page = shown('{% status_badge "ok" "Finished" %}')
    assert 'data-state="ok"' in page
    assert "icons.svg#done" in page
    assert "Finished" in page
    assert "data-state" not in shown('{% status_badge "" "Queued" %}')


def test_what_users_write_is_escaped():
    assert "<b>" not in shown("{% status_badge 'ok' word %}", word="<b>x</b>")


class Small(forms.Form):
    size = forms.IntegerField(help_text="In rows.")
    kind = forms.ChoiceField(choices=[("a", "A")])
    ready = forms.BooleanField(required=False)


def test_controls_get_the_class_of_their_kind_and_their_errors():
    form = Small({"size": "x", "kind": "a"})
    assert 'class="form-control is-invalid"' in ui.control(form["size"])
    assert 'aria-describedby="id_size_helptext id_size_error"' in ui.control(form["size"])
    assert 'class="form-select"' in ui.control(form["kind"])
    assert 'class="form-check-input"' in ui.control(form["ready"])
