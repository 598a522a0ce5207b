"""Curves: thinned without losing a spike or a gap, small whatever their length."""

import json
import random

import numpy as np
import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from jobs.models import Run
from jobs.run_page.series import Window, columns_of, read_series, thinned
from tests.jobs.pages import add_logs, trained
from tests.jobs.runs import make_run


@given(
    values=st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=400),
    limit=st.integers(10, 60),
)
def test_thinning_keeps_ends_extremes_and_order(values: list[float | None], limit: int) -> None:
    kept = thinned(np.array(values, dtype=np.float64), limit).tolist()
    assert len(kept) <= max(limit, 10)
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert kept == sorted(set(kept))
    numbers = [value for value in values if value is not None]
    shown = [values[place] for place in kept if values[place] is not None]
    if numbers:
        assert (min(shown), max(shown)) == (min(numbers), max(numbers))
    assert (None in values) == any(values[place] is None for place in kept)


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


def test_a_closer_look_has_every_point(alice: User) -> None:
    run = make_run(alice)
    add_logs(run, [float(step % 17) for step in range(1, 9001)])
    near = read_series(run, "loss", window=Window(4000, 4999))
    assert [p.step for p in near] == list(range(4000, 5000))
    assert len(read_series(run, "loss")) <= 2000
    assert read_series(run, "loss", window=Window(9001, None)) == []


def test_what_comes_later_and_what_comes_again_is_read(alice: User) -> None:
    """Curves are kept between two looks; new events join them, repeated steps replace theirs."""
    run = make_run(alice)
    add_logs(run, [1.0, 2.0])
    assert [p.value for p in read_series(run, "loss")] == [1.0, 2.0]
    again = run.events.get(step=2)
    again.seq, again.data = 3, {"loss": 5.0, "grad_norm": 0.5}
    again.save()
    Run.objects.filter(pk=run.pk).update(last_seq=3)  # as who records events does
    assert [p.value for p in read_series(run, "loss")] == [1.0, 5.0]
    assert [p.value for p in read_series(run, "grad_norm")] == [None, 0.5]
    run.events.filter(step=2).delete()
    Run.objects.filter(pk=run.pk).update(status="failed")
    assert [p.value for p in read_series(run, "loss")] == [1.0]
