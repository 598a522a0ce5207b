"""Figures of classes, label sets and numbers equal scikit-learn's, NumPy's or a hand's."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.metrics import (
    Classified,
    Measured,
    MultiClassified,
    metrics,
    score,
)

CLASSES = 4
pairs = st.lists(
    st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=30
)
EXAMPLES = settings(max_examples=100, deadline=None)


def of(name: str, rows: object) -> float:
    return score(metrics[name](name=name), rows)  # type: ignore[arg-type]


def classified(predicted: int, label: int, confidence: float = 0.7) -> Classified:
    others = (1 - confidence) / (CLASSES - 1)
    return Classified([confidence if at == predicted else others for at in range(CLASSES)], label)


@EXAMPLES
@given(pairs)
def test_classes_are_scored_as_scikit_learn_does(pairs: list[tuple[int, int]]) -> None:
    predicted, labels = zip(*pairs, strict=True)
    rows = [classified(*pair) for pair in pairs]
    assert of("accuracy", rows) == pytest.approx(sklearn.metrics.accuracy_score(labels, predicted))
    macro = sklearn.metrics.f1_score(labels, predicted, average="macro")
    assert of("macro_f1", rows) == pytest.approx(macro)
    expected = sklearn.metrics.matthews_corrcoef(labels, predicted)
    assert of("mcc", rows) == pytest.approx(expected, abs=1e-9)


@EXAMPLES
@given(pairs, st.integers(1, 5))
def test_a_document_counts_as_its_tokens(pairs: list[tuple[int, int]], length: int) -> None:
    tokens = [classified(*pair) for pair in pairs]
    documents = [tokens[at : at + length] for at in range(0, len(tokens), length)]
    for name in ("accuracy", "macro_f1", "mcc", "calibration_error"):
        assert of(name, [*documents, []]) == pytest.approx(of(name, tokens))


def test_calibration_error_by_hand() -> None:
    rows = [
        classified(0, 0, 0.9),  # these two share a bin: confidence 0.91, right 0.5
        classified(0, 1, 0.92),
        classified(1, 1, 0.5),
        classified(2, 2, 1.0),
    ]
    expected = (abs(1.82 - 1) + abs(0.5 - 1) + abs(1 - 1)) / 4
    assert of("calibration_error", rows) == pytest.approx(expected)


@EXAMPLES
@given(st.lists(st.tuples(*[st.booleans()] * 6), min_size=1, max_size=20))
def test_label_sets_are_scored_as_scikit_learn_does(bits: list[tuple[bool, ...]]) -> None:
    predicted = [[int(bit) for bit in row[:3]] for row in bits]
    labels = [[int(bit) for bit in row[3:]] for row in bits]
    rows = [
        MultiClassified([0.9 if bit else 0.2 for bit in guess], actual)
        for guess, actual in zip(predicted, labels, strict=True)
    ]
    micro = sklearn.metrics.f1_score(labels, predicted, average="micro", zero_division=0)
    assert of("micro_f1", rows) == pytest.approx(micro)
    subset = sklearn.metrics.accuracy_score(labels, predicted)
    assert of("subset_accuracy", rows) == pytest.approx(subset)


@EXAMPLES
@given(st.lists(st.tuples(*[st.integers(-100, 100)] * 2), min_size=2, max_size=20))
def test_numbers_are_scored_as_scikit_learn_does(pairs: list[tuple[int, int]]) -> None:
    predicted, actual = np.array(pairs, dtype=float).T
    rows = [Measured(float(x), float(y)) for x, y in pairs]
    mae = sklearn.metrics.mean_absolute_error(actual, predicted)
    assert of("mae", rows) == pytest.approx(mae)
    assert of("rmse", rows) ** 2 == pytest.approx(np.mean((predicted - actual) ** 2))
    varies = predicted.std() > 0 and actual.std() > 0
    expected = np.corrcoef(predicted, actual)[0, 1] if varies else 0
    assert of("pearson", rows) == pytest.approx(expected, abs=1e-9)
