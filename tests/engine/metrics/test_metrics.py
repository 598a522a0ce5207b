"""Every metric keeps its contract: sums of rows say all, and an interval says how sure."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np
import pytest

from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.metrics import (
    Answered,
    Classified,
    Compared,
    Measured,
    Metric,
    MultiClassified,
    TokenLoss,
    metrics,
    score,
    statistics_of,
)
from maxaillm.dev.finetune.metrics.shared.confidence import interval

WORDS = ["the", "cat", "sat", "on", "a", "mat"]
ROWS = 24


def rows_for(metric: Metric, chance: np.random.Generator) -> list[Any]:
    """Some right, some wrong, of the kind that the metric is made of."""
    return [row_of(metric.made_of, chance, at) for at in range(ROWS)]


def row_of(kind: type, chance: np.random.Generator, at: int) -> Any:
    tokens = int(chance.integers(2, 9))
    answers = [" ".join(chance.choice(WORDS, 6)) for _ in range(2)]
    makers: dict[type, Callable[[], Any]] = {
        TokenLoss: lambda: TokenLoss(chance.uniform(1, 20), tokens, int(chance.integers(tokens))),
        Answered: lambda: Answered(answers[at % 3 == 0], answers[1]),
        Classified: lambda: Classified(chance.dirichlet(np.ones(3)).tolist(), at % 3),
        MultiClassified: lambda: MultiClassified(
            chance.uniform(size=3).tolist(), chance.integers(2, size=3).tolist()
        ),
        Measured: lambda: Measured(chance.normal(), chance.normal()),
        Compared: lambda: Compared(chance.normal(), chance.normal(size=1 + at % 2)),
    }
    return makers[kind]()


@pytest.fixture(params=metrics)
def metric(request: pytest.FixtureRequest) -> Metric:
    return metrics[request.param](name=request.param)


def test_resampled_sums_are_resampled_rows(metric: Metric) -> None:
    """So an interval needs no second pass over the rows."""
    chance = np.random.default_rng(0)
    rows = rows_for(metric, chance)
    statistics = statistics_of(metric, rows)
    for counts in chance.multinomial(ROWS, np.full(ROWS, 1 / ROWS), size=5):
        drawn = [row for row, times in zip(rows, counts, strict=True) for _ in range(times)]
        assert metric.figure(counts @ statistics) == pytest.approx(score(metric, drawn))


def test_interval_lies_around_the_figure(metric: Metric) -> None:
    rows = rows_for(metric, np.random.default_rng(1))
    figure = score(metric, rows)
    low, high = interval(metric, rows)
    assert isfinite(figure)
    assert low < high
    assert (low, high) == interval(metric, rows), "the same seed, the same interval"
    wide_low, wide_high = interval(metric, rows, level=0.999)
    assert wide_low <= low
    assert wide_high >= high
    if metric.is_share:
        assert 0 <= low <= figure <= 1 or metric.name == "calibration_error"


def test_metric_says_what_it_serves(metric: Metric) -> None:
    known = {"causal_lm", "seq2seq_lm", "masked_lm", "preference"}
    assert metric.tasks
    assert metric.tasks <= known | {"sequence_classification", "token_classification"}


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    accuracy = metrics["accuracy"](name="accuracy")
    chance = np.random.default_rng(2)
    held = 0
    for number in range(200):
        right = chance.random(100) < 0.8
        rows = [Classified([0.9, 0.1], int(not is_right)) for is_right in right]
        low, high = interval(accuracy, rows, samples=400, seed=number)
        held += low <= 0.8 <= high
    assert 180 <= held <= 198


def test_tokens_of_a_document_are_one_piece_of_evidence() -> None:
    accuracy = metrics["accuracy"](name="accuracy")
    documents = [[Classified([0.9, 0.1], at % 2)] * 50 for at in range(20)]
    low, high = interval(accuracy, documents)
    alone_low, alone_high = interval(accuracy, [token for text in documents for token in text])
    assert high - low > 5 * (alone_high - alone_low)


def test_nothing_to_measure_on_is_said() -> None:
    with pytest.raises(DataError, match="no row to measure BLEU"):
        score(metrics["bleu"](name="bleu"), [])


def test_many_rows_are_resampled_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Measured(float(at % 7), 0.0) for at in range(500)]
    mae = metrics["mae"](name="mae")
    low, high = interval(mae, rows, samples=300)
    monkeypatch.setattr("maxaillm.dev.finetune.metrics.shared.confidence.CHUNK_COUNTS", 2000)
    assert interval(mae, rows, samples=300) == (low, high)
