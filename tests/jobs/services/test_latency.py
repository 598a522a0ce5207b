"""Histograms of latencies."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.services.deployments.latency import bucket_of, percentile


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_percentile_is_right_to_five_percent(times: list[int], share: float) -> None:
    found = percentile(Counter(map(bucket_of, times)), share)
    exact = sorted(times)[math.ceil(share * len(times)) - 1]
    assert found == pytest.approx(exact / 1000, rel=0.05, abs=0.0006)


def test_nothing_has_no_percentile() -> None:
    assert percentile({}, 0.5) is None
