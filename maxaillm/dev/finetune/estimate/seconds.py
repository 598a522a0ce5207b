"""Seconds of a run: its work by the speed of this machine, corrected by what earlier runs took."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from maxaillm.dev.finetune.estimate.earlier_runs import Ratios
from maxaillm.dev.finetune.estimate.machine import Speed
from maxaillm.dev.finetune.estimate.work import Job, Work, pass_of, step_of
from maxaillm.dev.finetune.metrics import Answered, metrics

PRODUCTS, VALUES, CALLS = 1.55, 0.5, 300.0
"""How many times as long training is at each as the bare measurement of `machine.speed`: fitted to
the processor time of a step in 49 runs (Llama, GPT-2, BERT, T5 of 0.3 to 17 M parameters, full and
LoRA, one thread), each of which it then meets within a factor of 1.5."""
EVALUATION = 1.3
"""Of an evaluation beside the passes alone, measured likewise."""
START_SECONDS = 3.0
"""From the start to the first step where the libraries are loaded: opening the model, tokenising,
the first step's warm-up (`benchmarks/click_to_first_step.py`)."""
ANSWERED_ROWS, ANSWERS_AT_ONCE, SPARE_TOKENS = 200, 32, 8
"""Of the answers that are written to held-out rows (`hf/generation/answers.py`)."""
CALLS_A_TOKEN = 0.6
"""Of the operations of a pass in training, to write a token: nothing is kept for a gradient.
Measured: 2.6 to 7.5 ms a token in models of 0.3 to 5 M parameters."""


class Parts(NamedTuple):
    """Seconds by what they go into."""

    start: float
    steps: float
    evaluations: float
    answers: float

    @property
    def rest(self) -> float:
        """All but the steps."""
        return self.start + self.evaluations + self.answers

    def corrected(self, ratios: Ratios | None) -> float:
        """Their sum, as earlier runs have it."""
        steps, rest = ratios or (1.0, 1.0)
        return steps * self.steps + rest * self.rest


def seconds_at(speed: Speed, work: Work) -> float:
    return (
        PRODUCTS * work.products / speed.of_products(work.width)
        + VALUES * work.values / speed.values
        + CALLS * work.calls * speed.call
        + work.fresh / speed.fresh
    )


def seconds_of(job: Job, speed: Speed) -> Parts:
    """By the formula alone."""
    training, steps = job.config.training, job.steps
    every, epochs = training.intervals(steps), ceil(training.num_train_epochs or 1)
    times = {"steps": steps // every.evaluation, "epoch": epochs, "no": 0}
    measured = 2 + times[training.eval_strategy]  # before, after, and in between
    saved = {"steps": steps // every.saving, "epoch": epochs, "no": 0}
    asked = job.config.evaluation
    sampled = len(asked.sample_prompts) * asked.max_new_tokens
    saves = max(1, saved[training.save_strategy])  # the last step is always saved
    written = sampled * (1 + saves) * seconds_at(speed, token_of(job, 1))
    return Parts(
        start=START_SECONDS + reference_seconds(job, speed),
        steps=steps * seconds_at(speed, step_of(job)),
        evaluations=measured * EVALUATION * evaluation_seconds(job, speed),
        answers=2 * answer_seconds(job, speed) + written,
    )


def reference_seconds(job: Job, speed: Speed) -> float:
    """What the base model makes of preferences, once for each row, before the first step."""
    if job.task != "preference":
        return 0.0
    return evaluation_seconds(job._replace(data=job.data._replace(held_out=job.data.number)), speed)


def evaluation_seconds(job: Job, speed: Speed) -> float:
    """One look at all held-out rows."""
    if not job.data.held_out:
        return 0.0
    held = job.data._replace(number=job.data.held_out)
    batches = ceil(held.sequences / job.config.training.per_device_train_batch_size)
    tokens = held.sequences * held.filled / batches
    return batches * seconds_at(speed, pass_of(job, tokens))


def answer_seconds(job: Job, speed: Speed) -> float:
    """Writing an answer to each held-out row, where a metric asks for it."""
    rows = min(ANSWERED_ROWS, job.data.held_out)
    if not rows or not any(metrics[name].made_of is Answered for name in job.metrics):
        return 0.0
    batches = ceil(rows / ANSWERS_AT_ONCE)
    longest = max(length.answer for length in job.data.lengths) + SPARE_TOKENS
    return batches * longest * seconds_at(speed, token_of(job, rows / batches))


def token_of(job: Job, rows: float) -> Work:
    """Writing the next token of so many answers at once."""
    one = pass_of(job, rows)
    weights = 4.0 * sum(layer.inputs * layer.outputs for layer in job.base.matrices())
    return one._replace(calls=one.calls * CALLS_A_TOKEN, values=one.values + weights)
