"""Latencies as a histogram: buckets that grow by a tenth, so that a percentile is right to 5 %."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

GROWTH = 1.1


def bucket_of(milliseconds: float) -> str:
    """The bucket of a time, as a key of JSON."""
    return str(round(math.log(max(1.0, milliseconds), GROWTH)))


def merged(histograms: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for histogram in histograms:
        for bucket, count in histogram.items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def percentile(histogram: Mapping[str, int], share: float) -> float | None:
    """Seconds within which `share` of the requests were; None where there were none."""
    rest = math.ceil(share * sum(histogram.values()))
    for bucket in sorted(histogram, key=int):
        rest -= histogram[bucket]
        if rest <= 0:
            return round(float(GROWTH ** int(bucket)) / 1000, 3)
    return None
