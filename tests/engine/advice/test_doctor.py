"""Run doctor: each rule finds what it is for, and a healthy run has none of it."""

from __future__ import annotations

import json
from math import exp, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxaillm.dev.finetune.advice.doctor import AT_THE_END, LIVE, examine
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.history import (
    EndCount,
    Evaluation,
    LabelCount,
    RunHistory,
    TokenCounts,
)
from maxaillm.dev.finetune.config import RunConfig
from tests.real_data import TEST_DATA

STEPS = 120
EVALUATIONS = range(0, STEPS + 1, 10)
OPTIONS = {
    "training.max_grad_norm": 0,
    "training.per_device_train_batch_size": 8,
    "training.gradient_accumulation_steps": 2,
    "data.max_length": 128,
}
CHANCE = np.random.default_rng(0).normal(0, 0.03, STEPS + 1)


def history(held_out: Any, training: Any = None, **more: Any) -> RunHistory:
    """A run whose validation and training loss are functions of the step."""
    learned = training or held_out
    values: dict[str, Any] = {
        "losses": [learned(step) + CHANCE[step] for step in range(STEPS)],
        "grad_norms": [1.0] * STEPS,
        "rates": [1e-3] * STEPS,
        "evaluations": [Evaluation(step, {"eval_loss": held_out(step)}) for step in EVALUATIONS],
        "total_steps": STEPS,
        "learning_rate": 1e-3,
        "recommended_rate": 1e-3,
        "epochs": 3.0,
        "tokens": TokenCounts(rows=500, seen=10_000, trained=4_000),
        "held_out_rows": 200,
        "options": OPTIONS,
    }
    return RunHistory(**values | more)


def falling(step: float) -> float:
    return 2 + 2 * exp(-step / 60)


def bent(step: float) -> float:
    """Best at step 40."""
    return 2 + abs(step - 40) / 100


def spiked() -> dict[str, Any]:
    losses = [falling(step) for step in range(STEPS)]
    norms = [1.0] * STEPS
    for at in (50, 80, 110):
        losses[at], norms[at] = 6.0, 5.0
    return {"losses": losses, "grad_norms": norms}


def hump(step: float) -> float:
    return falling(step) + (5 * exp(-(((step - 20) / 10) ** 2)))


SICK = {
    "rate_too_high": history(hump),
    "rate_too_low": history(lambda step: 4 - step / 1000),
    "over_fitting": history(bent, falling),
    "flat_loss": history(lambda step: 2 + 2 * exp(-step / 8), options={}),
    "spikes": history(falling, **spiked()),
    "exploding_gradient": history(falling, grad_norms=[1.0] * 60 + [500.0] + [1.0] * 59),
    "noisy_evaluation": history(falling, held_out_rows=9),
    "best_is_not_last": history(
        lambda step: falling(step) if step < STEPS else 2.9, options={}, epochs=None
    ),
    "truncation": history(falling, tokens=TokenCounts(500, 10_000, 4_000, 120, 900)),
    "few_trained_tokens": history(falling, tokens=TokenCounts(500, 50_000, 1_200)),
    "few_rows": history(
        falling, lambda step: 1 + 3 * exp(-step / 30), tokens=TokenCounts(40, 10_000, 4_000)
    ),
    "out_of_memory": history(falling, sequences_at_once=2),
    "slow_input": history(falling, timed_steps=100, input_seconds=40.0, step_seconds=60.0),
    "end_token": history(falling, ends=EndCount(asked=32, said=0)),
    "imbalance": history(
        falling, labels=[LabelCount("ham", 380, 90, 90), LabelCount("spam", 20, 10, 1)]
    ),
}


def named(found: list[Finding]) -> dict[str, Finding]:
    return {finding.code: finding for finding in found}


def test_every_rule_has_an_example() -> None:
    assert len(SICK) == len(LIVE + AT_THE_END)


def test_a_healthy_run_has_no_findings() -> None:
    assert examine(history(falling), has_ended=True) == []


@pytest.mark.parametrize("code", SICK)
def test_what_is_wrong_is_found_and_nothing_else(code: str) -> None:
    found = named(examine(SICK[code], has_ended=True))
    assert [*found] == [code]
    evidence = found[code].evidence
    assert evidence is None or 0 <= evidence.first_step <= evidence.last_step <= STEPS


@pytest.mark.parametrize("code", SICK)
def test_the_changes_are_options_that_a_run_takes(code: str) -> None:
    found = named(examine(SICK[code], has_ended=True))[code]
    for step in found.next_steps:
        raw: dict[str, Any] = {"model": {"name": "m"}, "data": {"train_file": "rows.jsonl"}}
        for path, value in step.changes.items():
            section, option = path.split(".")
            raw.setdefault(section, {})[option] = value
        RunConfig.parse(raw)


def test_a_fix_says_where_to_stop_in_the_words_of_the_run() -> None:
    steps = named(examine(SICK["over_fitting"], has_ended=True))["over_fitting"].next_steps
    assert [step.changes for step in steps] == [
        {"training.load_best_model_at_end": True},
        {"training.num_train_epochs": 1.0},
    ]
    counted = history(bent, falling, epochs=None, options={"training.load_best_model_at_end": True})
    [step] = named(examine(counted, has_ended=True))["over_fitting"].next_steps
    assert step.changes == {"training.max_steps": 40}


def test_what_few_held_out_rows_show_is_only_perhaps_so() -> None:
    found = named(examine(history(bent, falling, held_out_rows=40), has_ended=True))
    assert (found["over_fitting"].level, found["over_fitting"].title) == (
        "note", "Perhaps over-fitting since step 40",
    )  # fmt: skip


def test_while_it_trains_only_what_is_certain_by_then_is_said() -> None:
    young = history(lambda step: 4 - step / 1000)
    assert examine(young, has_ended=False) == []
    hot = history(hump, total_steps=100_000)
    assert examine(hot, has_ended=False) == []
    assert "rate_too_high" in named(examine(hot, has_ended=True))


LOSSES = st.lists(st.floats(0, 100) | st.just(float("nan")), max_size=70)


@given(LOSSES, LOSSES, LOSSES, st.booleans())
def test_no_run_is_too_odd(
    losses: list[float], evals: list[float], norms: list[float], has_ended: bool
) -> None:
    odd = RunHistory(
        losses=losses,
        grad_norms=norms,
        rates=[1e-3] * len(losses),
        evaluations=[Evaluation(at, {"eval_loss": value}) for at, value in enumerate(evals)],
        total_steps=len(losses),
    )
    for finding in examine(odd, has_ended=has_ended):
        assert finding.text


CURVES = TEST_DATA / "data/statistics/curves.json"
NAMES = {"lr_too_high": "rate_too_high", "lr_too_low": "rate_too_low", "overfit": "over_fitting"}


@pytest.mark.skipif(not CURVES.is_file(), reason="real curves are not on this machine")
def test_of_real_curves_what_is_said_for_sure_is_true() -> None:
    """45 runs of small models with what was wrong with them, 30 of them unseen by the rules."""
    right = 0
    for curve in json.loads(CURVES.read_text()):
        found = {each.code for each in examine(of_curve(curve), has_ended=True) if is_sure(each)}
        assert found <= {NAMES.get(name) for name in curve["truth"]}, curve["name"]
        right += len(found)
    assert right >= 5


def is_sure(finding: Finding) -> bool:
    return finding.level != "note"


def of_curve(curve: dict[str, Any]) -> RunHistory:
    evaluations = zip(curve["eval_step"], curve["eval_loss"], strict=True)
    return RunHistory(
        losses=[nan if loss is None else loss for loss in curve["loss"]],
        grad_norms=[norm or 0 for norm in curve["grad_norm"] or []],
        rates=curve["lr"],
        evaluations=[Evaluation(step, {"eval_loss": loss}) for step, loss in evaluations],
        guess_loss=curve.get("label_entropy"),
        total_steps=len(curve["step"]),
        held_out_rows=curve["eval_rows"],
    )
