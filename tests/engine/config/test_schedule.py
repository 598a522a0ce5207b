"""The learning rate that is foretold is the one that the scheduler gives."""

from __future__ import annotations

from math import ceil
from typing import Any, get_args

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from maxaillm.dev.finetune.config.schedule import rate_share
from maxaillm.dev.finetune.config.training import TrainingSection
from maxaillm.dev.finetune.hf.training.arguments import SCHEDULES

KINDS = get_args(TrainingSection.model_fields["lr_scheduler_type"].annotation)
LENGTHS = st.integers(2, 300)


@given(st.sampled_from(KINDS), LENGTHS, st.floats(0, 0.5), st.integers(0, 20), st.data())
def test_the_share_is_that_of_the_scheduler(
    kind: Any, steps: int, ratio: float, warmup: int, data: st.DataObject
) -> None:
    training = TrainingSection(
        lr_scheduler_type=kind, warmup_ratio=ratio, warmup_steps=min(warmup, steps - 1)
    )
    step = data.draw(st.integers(0, steps))
    options = dict(SCHEDULES.get(kind, {}))
    if kind == "warmup_stable_decay":
        options["num_decay_steps"] = max(1, round(0.2 * steps))
    made = transformers.get_scheduler(
        kind,
        torch.optim.SGD([torch.zeros(1)], lr=1.0),
        training.warmup_steps or ceil(ratio * steps),
        steps,
        options,
    )
    assert rate_share(training, step, steps) == pytest.approx(made.lr_lambdas[0](step), abs=1e-6)
