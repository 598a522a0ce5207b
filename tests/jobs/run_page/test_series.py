"""Curves: thinned without losing a spike or a gap, small whatever their length."""

import json
import random

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from jobs.run_page.series import Point, columns_of, downsample, read_series
from tests.jobs.pages import add_logs, trained
from tests.jobs.runs import make_run


def point(step: int, value: float | None) -> Point:
    return Point(step, value, None, None, float(step))


@given(
    values=st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=400),
    limit=st.integers(10, 60),
)
def test_downsampling_keeps_ends_extremes_and_order(values: list[float | None], limit: int) -> None:
    points = [point(step, value) for step, value in enumerate(values)]
    kept = downsample(points, limit)
    assert len(kept) <= max(limit, 10)
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    steps = [p.step for p in kept]
    assert steps == sorted(set(steps))
    numbers = [value for value in values if value is not None]
    shown = [p.value for p in kept if p.value is not None]
    if numbers:
        assert (min(shown), max(shown)) == (min(numbers), max(numbers))
    assert (None in values) == any(p.value is None for p in kept)


def test_a_short_curve_is_whole(alice: User) -> None:
    run = trained(alice)
    assert [p.value for p in read_series(run, "loss")] == [3 / step for step in range(1, 7)]
    (evaluated,) = read_series(run, "eval_loss")
    assert (evaluated.step, evaluated.value) == (6, 1.5)
    assert read_series(run, "memory_bytes")[0].value is None


def test_a_hundred_thousand_points_fit_in_200_kb(alice: User) -> None:
    run = make_run(alice)
    values: list[float | None] = [random.random() for _ in range(100_000)]
    values[55_555] = 99.0
    values[77_777] = None
    add_logs(run, values)
    columns = columns_of(read_series(run, "loss"))
    assert len(json.dumps(columns)) < 200_000
    assert 99.0 in columns["value"]
    assert None in columns["value"]


@pytest.mark.parametrize("value", [True, "NaN", None, [1]])
def test_what_is_no_number_is_a_gap(alice: User, value: object) -> None:
    run = make_run(alice)
    add_logs(run, [1.0])
    row = run.events.get()
    row.data["loss"] = value
    row.save()
    assert read_series(run, "loss")[0].value is None
