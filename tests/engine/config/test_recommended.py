"""Defaults that depend on the model's size and on the rows: rate, epochs, rows held out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.recommended import (
    epochs_for,
    held_out_share,
    learning_rate_for,
    parameters_of,
)
from maxaillm.dev.finetune.estimate import estimate
from maxaillm.dev.finetune.methods import methods

counts = st.integers(1, 10**12)
RATES = sorted({method.recommended_learning_rate for method in methods.values()})


@pytest.mark.parametrize(
    ("method", "parameters", "rate"),
    [
        ("lora", 7_000_000_000, 2e-4),
        ("full", 110_000_000, 5e-5),
        ("full", 20_000_000, 2.5e-4),
        ("lora", 3_410_176, 2e-3),
        ("full", 260_000, 5e-4),
        ("prompt_tuning", 260_000, 0.02),
        ("lora", None, 2e-4),
    ],
)
def test_a_small_model_is_tuned_at_a_higher_rate(
    method: str, parameters: int | None, rate: float
) -> None:
    own = methods[method].recommended_learning_rate
    assert learning_rate_for(own, parameters, None) == pytest.approx(rate)
    assert learning_rate_for(own, parameters, "preference") == pytest.approx(rate / 10)


@pytest.mark.parametrize(("parameters", "rate"), [(25_000_000, 1e-4), (10_000, 5e-5 * 10**0.5)])
def test_a_small_model_with_a_new_head_is_tuned_with_more_care(
    parameters: int, rate: float
) -> None:
    own = methods["full"].recommended_learning_rate
    for task in ("sequence_classification", "token_classification"):
        assert learning_rate_for(own, parameters, task) == pytest.approx(rate)


@given(counts, counts, st.sampled_from(RATES))
def test_the_rate_never_rises_with_the_size(one: int, other: int, rate: float) -> None:
    small, large = (learning_rate_for(rate, size, None) for size in sorted((one, other)))
    assert rate <= large <= small <= max(rate, 0.02)


@pytest.mark.parametrize(
    ("steps", "epochs"), [(1, 10), (13, 8), (25, 4), (100, 3), (2_500, 2), (250_000, 1)]
)
def test_a_small_file_is_seen_more_often(steps: int, epochs: int) -> None:
    assert epochs_for(steps) == epochs


@given(counts, counts)
def test_epochs_never_rise_with_the_rows(one: int, other: int) -> None:
    few, many = (epochs_for(steps) for steps in sorted((one, other)))
    assert 1 <= many <= few <= 10


@given(st.integers(1, 10**7))
def test_more_rows_hold_out_more_but_never_more_than_a_fifth(rows: int) -> None:
    share = held_out_share(rows)
    assert 0.05 <= share <= 0.2
    assert round(share * rows) <= round(held_out_share(rows + 1) * (rows + 1))
    if rows >= 500:
        assert share * rows == pytest.approx(max(100, rows / 20))


def test_a_run_says_what_it_takes_where_nothing_is_asked_for(tmp_path: Path) -> None:
    rows = [{"prompt": f"Question {number}", "completion": "Yes"} for number in range(200)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given_name = {"model": {"name": "starter/chat"}}
    config = RunConfig.parse(given_name | {"data": {"train_file": str(file), "packing": False}})
    found = estimate(config)
    assert config.learning_rate == found.learning_rate == pytest.approx(2e-3)
    assert (found.training_rows, found.validation_rows) == (160, 40)
    assert (found.steps, found.epochs) == (120, 3)  # 40 steps an epoch
    short = {"training": {"max_steps": 100}}
    assert estimate(RunConfig.parse(config.model_dump() | short)).epochs == 2.5


def test_a_model_that_is_not_here_has_no_size() -> None:
    assert parameters_of("owner/not-on-this-machine") is None
    assert parameters_of("/no/such/folder") is None
    unknown = RunConfig.parse({"model": {"name": "owner/not-on-this-machine"}})
    assert unknown.learning_rate == methods["lora"].recommended_learning_rate
