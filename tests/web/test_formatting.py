"""Numbers with their units, as people read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.template import engines

from maxft_site.web.formatting import bytes_of, count, duration, percent, sig, size


@pytest.mark.parametrize(
    ("number", "words"),
    [(None, "–"), (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"),
     (3_200_000, "3.2 MB"), (24e9, "24.0 GB"), (5e18, "5,000.0 PB")],
)  # fmt: skip
def test_bytes(number, words):
    assert size(number) == words


def test_bytes_of_a_limit():
    assert bytes_of(17.6e9, 24e9) == "17.6 of 24.0 GB"
    assert bytes_of(5, 800) == "5 of 800 bytes"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (-1, "0.0 s"), (0.44, "0.4 s"), (12, "12 s"), (60, "1 min"), (1140, "19 min"),
     (3600, "1 h"), (7500, "2 h 5 min"), (273_600, "3 d 4 h"), (timedelta(days=2), "2 d")],
)  # fmt: skip
def test_duration(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(None, "–"), (0, "0"), (1.0712, "1.07"), (0.41249, "0.412"), (7e-5, "7.0e-5"),
     (21.34, "21.3"), (3900.4, "3,900"), (1_234_567, "1,234,567"),
     (3.94e60, "3.9e60"), (-0.5, "-0.500"), (float("nan"), "nan")],
)  # fmt: skip
def test_significant_figures(number, words):
    assert sig(number) == words


@pytest.mark.parametrize("number", [3.9e60, -3.9e60, 1.7e308, float("inf"), float("nan")])
@pytest.mark.parametrize("write", [count, duration, percent, sig, size])
def test_no_number_is_long(write, number):
    assert len(write(number)) < 20


def test_count_and_percent():
    assert count(1204) == "1,204"
    assert percent(0.612) == "61 %"
    assert percent(0.9142, 1) == "91.4 %"
    assert percent(None) == count(None) == "–"


def test_templates_have_them_as_filters():
    source = (
        "{% load ui %}{{ n|count }} {{ n|bytes }} {{ n|duration }} {{ n|sig }} {{ n|percent:1 }}"
    )
    shown = engines["django"].from_string(source).render({"n": 1204})
    assert shown == "1,204 1.2 kB 20 min 1,204 120400.0 %"
