"""The end of a run, judged from what it measured; nothing ruined is called good."""

from __future__ import annotations

import json
from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxaillm.dev.finetune.advice.comparison import Comparison, Judged, compare
from maxaillm.dev.finetune.advice.divergence import is_diverging
from maxaillm.dev.finetune.advice.history import Evaluation, RunHistory
from maxaillm.dev.finetune.advice.judge import judge
from maxaillm.dev.finetune.advice.verdict import Verdict
from tests.real_data import TEST_DATA

LOSS = Judged("eval_loss", "Validation loss", higher_is_better=False, is_share=False)
RIGHT = Judged("accuracy", "Accuracy", higher_is_better=True, is_share=True)
VOCABULARY = log(4096)


def mean(sums: Any) -> float:
    return float(sums[0] / sums[1])


def rows(losses: Any, tokens: int = 10) -> Any:
    values = np.asarray(losses, dtype=float)
    return np.stack([values * tokens, np.full(len(values), tokens)], axis=1)


def history(
    losses: list[float], base: float | None = None, end: float | None = None, **more: Any
) -> RunHistory:
    found = [
        Evaluation(step, {"eval_loss": value})
        for step, value in ((0, base), (len(losses), end))
        if value is not None
    ]
    options = {"learning_rate": 2e-4, "recommended_rate": 2e-4, "epochs": 3.0}
    return RunHistory(losses, found, guess_loss=VOCABULARY, **options | more)


def beside(base: Any, tuned: Any) -> Comparison:
    found = compare(LOSS, mean, rows(base), rows(tuned))
    assert found is not None
    return found


def compared(base: Any, tuned: Any, **more: Any) -> Verdict:
    falling = [float(np.mean(base))] * 10 + [float(np.mean(tuned))] * 10
    found = beside(base, tuned)
    return judge(history(falling, found.base, found.tuned, comparison=found, **more))


SPREAD = np.linspace(-0.5, 0.5, 40)


def test_a_run_whose_loss_ends_above_its_start_has_diverged() -> None:
    """Learning rate 1, full weights, 12 steps: 7 to 149."""
    losses = [7.0, 9, 30, 60, 80, 90, 110, 120, 130, 140, 145, 149]
    verdict = judge(history(losses, base=6.9, end=139.0, learning_rate=1.0))
    assert (verdict.code, verdict.level) == ("diverged", "bad")
    assert "a mere guess has 8.32" in verdict.explanation
    assert verdict.next_steps[0].changes == {"training.learning_rate": 2e-4}


def test_a_rate_that_was_usual_is_lowered_to_a_tenth() -> None:
    verdict = judge(history([3.0] + [9.0] * 20, base=3, end=9))
    assert verdict.next_steps[0].changes == {"training.learning_rate": 2e-5}


@pytest.mark.parametrize("end", [float("nan"), float("inf")])
def test_an_evaluation_that_is_no_number_has_diverged(end: float) -> None:
    assert judge(history([3.0, 2.0, 1.0, 1.0], base=3, end=end)).code == "diverged"


def test_over_fitting_is_not_divergence_but_worse() -> None:
    over_fitted = history([2.0, 1.5, 1.0, 0.5, 0.2, 0.1], base=2, end=2.6)
    over_fitted.evaluations.insert(1, Evaluation(2, {"eval_loss": 1.7}))
    over_fitted.comparison = beside(2.0 + SPREAD, 2.6 + SPREAD)
    assert judge(over_fitted).code == "worse"
    assert "At step 2 it was better" in judge(over_fitted).explanation
    assert judge(over_fitted).next_steps[0].changes == {"training.load_best_model_at_end": True}


def test_weights_that_hardly_moved_have_learned_nothing_however_few_the_rows() -> None:
    base = np.array([2.0, 3.0, 1.0])
    for count in (3, 40):
        rows_of = np.resize(base, count)
        verdict = compared(rows_of, rows_of - 1e-6, learning_rate=1e-9)
        assert (verdict.code, verdict.level) == ("learned_nothing", "warn")
        assert verdict.next_steps[0].changes == {"training.learning_rate": 2e-4}


def test_a_new_head_that_learned_only_how_frequent_labels_are_has_learned_nothing() -> None:
    verdict = compared(0.9 + SPREAD / 10, 0.69 + SPREAD / 10)
    assert verdict.code == "better"
    found = beside(0.9 + SPREAD / 10, 0.69 + SPREAD / 10)
    guessed = history([0.9, 0.8, 0.7, 0.69], found.base, found.tuned, comparison=found)
    guessed.guess_loss = log(2)
    assert judge(guessed).code == "learned_nothing"


def test_a_sure_gain_is_better_and_a_small_one_is_said_to_be_small() -> None:
    verdict = compared(2.0 + SPREAD, 1.5 + SPREAD)
    assert (verdict.code, verdict.title) == (
        "better", "Better than its base: validation loss 25 % lower",
    )  # fmt: skip
    assert compared(2.0 + SPREAD, 1.95 + SPREAD).code == "learned_little"


def test_what_chance_could_do_is_undecided_and_says_how_many_rows_would_decide() -> None:
    noise = np.resize([0.9, -0.7], 20)
    verdict = compared(np.full(20, 2.0), 2.0 - noise)
    assert verdict.code == "undecided"
    assert "rows would decide" in verdict.explanation
    few = compared(np.full(4, 2.0), np.array([1.0, 1.2, 1.1, 2.3]))
    assert few.code == "undecided"
    assert "3 of them went better, 1 worse" in few.explanation


def test_without_held_out_rows_the_training_loss_alone_is_told() -> None:
    verdict = judge(history([3.0, 2.0, 1.0, 0.9, 0.8]))
    assert (verdict.code, verdict.level) == ("unmeasured", "note")
    assert "from 3 to 0.9" in verdict.explanation
    assert verdict.next_steps[0].changes == {"data.validation_share": 0.1}
    assert judge(history([3.0] + [30.0] * 9)).code == "diverged"


def test_shares_are_compared_in_points_with_an_interval_that_is_never_nought() -> None:
    """Bonett & Price 2012: 3 won, 9 lost, of 40 rows."""
    wrong, right = np.zeros(40), np.zeros(40)
    wrong[:9], right[9:12] = 1, 1
    found = compare(RIGHT, mean, rows(wrong, 1), rows(right, 1))
    assert found is not None
    assert (found.gain, found.won, found.lost) == (pytest.approx(-0.15), 3, 9)
    p, q = 4 / 42, 10 / 42
    error = 1.959964 * np.sqrt((p + q - (p - q) ** 2) / 42)
    assert (found.low, found.high) == pytest.approx((p - q - error, p - q + error))
    same = compare(RIGHT, mean, rows(wrong, 1), rows(wrong, 1))
    assert same is not None
    assert same.low is not None
    assert same.low < 0


def test_an_interval_of_a_mean_loss_is_that_of_the_paired_t_test() -> None:
    chance = np.random.default_rng(7)
    base = chance.normal(3, 1, 60)
    gain = chance.normal(0.3, 0.5, 60)
    found = beside(base, base - gain)
    error = 2.000995 * gain.std(ddof=1) / np.sqrt(60)
    assert found.low == pytest.approx(gain.mean() - error, abs=0.02)
    assert found.high == pytest.approx(gain.mean() + error, abs=0.02)


@given(
    losses=st.lists(st.floats(0, 1e30), max_size=30),
    base=st.none() | st.floats(0, 1e30),
    end=st.none() | st.floats(),
    held=st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), max_size=30),
)
def test_whatever_was_measured_gives_a_verdict_that_its_evidence_carries(
    losses: list[float], base: float | None, end: float | None, held: list[tuple[float, float]]
) -> None:
    run = history(losses, base, end)
    if held:
        run.comparison = compare(LOSS, mean, *(rows(column) for column in zip(*held, strict=True)))
    verdict = judge(run)
    assert json.loads(verdict.model_dump_json())["code"] == verdict.code
    assert max(map(len, verdict.explanation.split()), default=0) < 40
    if verdict.code in {"better", "learned_little"}:
        assert verdict.comparison is not None
        assert verdict.comparison.low is not None
        assert verdict.comparison.low > 0
    if end is not None and not np.isfinite(end) and losses:
        assert verdict.code == "diverged"


def test_a_run_is_given_up_only_after_long() -> None:
    calm, wild = [3.0] * 50, [3.0] + [9.0] * 20
    assert not is_diverging(history(calm, base=3))
    assert is_diverging(history(wild, base=3))
    assert not is_diverging(history(wild[:8], base=3))  # not for long yet
    assert not is_diverging(history([*calm, 30, 30, 30], base=3))  # a spike
    falling = [3.0, *(30 - step for step in range(22))]
    assert not is_diverging(history(falling, base=3))  # it may recover
    assert not is_diverging(history([1.0, *[5.0] * 40], base=1))  # not above a mere guess


CURVES = TEST_DATA / "data" / "statistics" / "curves.json"


@pytest.mark.skipif(not CURVES.is_file(), reason="real curves are not on this machine")
def test_of_real_curves_those_that_diverged_are_found_and_no_other() -> None:
    """45 runs of the engine with what was wrong with them."""
    for curve in json.loads(CURVES.read_text()):
        losses = [value for value in curve["loss"] if value is not None]
        if "diverged" not in curve["truth"]:
            whole = range(len(losses))
            assert not any(is_diverging(history(losses[:n], curve["eval_loss"][0])) for n in whole)
        run = history(losses, curve["eval_loss"][0], curve["eval_loss"][-1])
        assert (judge(run).code == "diverged") == ("diverged" in curve["truth"]), curve["name"]
