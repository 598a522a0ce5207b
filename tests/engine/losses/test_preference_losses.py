"""TRL's objectives do what their papers say, on the tokens that other tasks would train on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from transformers import AutoModelForCausalLM

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.hf.batches.collate import eval_batches
from maxaillm.dev.finetune.hf.training.tasks.preference.rows import Answer, answers_in
from maxaillm.dev.finetune.hf.training.token_loss import measuring
from maxaillm.dev.finetune.hf.training.trainers import Setup, make_trainer
from maxaillm.dev.finetune.hf.training.trainers.preference import PreferenceTrainer
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from tests import tiny
from tests.preferences import judged, pairs

ROWS = 6


class Begun(NamedTuple):
    """A run before its first step, its weights moved at random, and its base."""

    trainer: PreferenceTrainer
    model: Any
    base: Any
    rows: list[list[Answer]]

    def mean_loss(self) -> float:
        collator = self.trainer.data_collator
        (batch,) = eval_batches(self.trainer.sequences, collator, ROWS)
        with measuring(self.model):
            return self.trainer.mean_loss(batch)


@pytest.fixture
def begin(llama: Path, tmp_path: Path) -> Iterator[Any]:
    opened: list[Attempt] = []

    def begun(rows: list[dict[str, Any]], loss: dict[str, Any] | None, method: str) -> Begun:
        file = tiny.write_lines(tmp_path / "rows.jsonl", rows)
        training = {"per_device_train_batch_size": ROWS, "max_steps": 1, "loss": loss}
        sections = {
            "tuning": {"name": method},
            "training": training,
            "data": {"validation_share": 0, "max_length": 128},
        }
        attempt = Attempt(tmp_path / "run").__enter__()
        opened.append(attempt)
        tuner = MaxHuggingFaceFineTuning(
            RunConfig.parse(tiny.run_config(llama, file, **sections)), attempt
        )
        train, _ = tuner.prepare_data()
        model, tokenizer = tuner.configure_model()
        folder = tmp_path / "staged"
        setup = Setup(model, tokenizer, train, None, tuner.steps, folder, "fp32", attempt)
        trainer = make_trainer(tuner.task, setup)
        move(model)
        base = AutoModelForCausalLM.from_pretrained(llama).eval()
        answers = [answers_in(train.rows, row) for row in range(len(train.rows))]
        assert isinstance(trainer, PreferenceTrainer)
        return Begun(trainer, model, base, answers)

    yield begun
    for attempt in opened:
        attempt.__exit__(None, None, None)


def move(model: Any) -> None:
    chance = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=chance)


@torch.no_grad()
def likelihoods(model: Any, ids: Any, labels: Any) -> Tensor:
    """Log-probabilities of the learned tokens of one conversation, without padding."""
    tokens, targets = torch.tensor(ids).long()[None], torch.tensor(labels).long()
    logits = model(input_ids=tokens, use_cache=False).logits[0, :-1].double().log_softmax(-1)
    at = targets[1:] != -100
    return logits[at].gather(1, targets[1:][at][:, None])[:, 0]


def ratio(begun: Begun, answer: Answer) -> tuple[float, int]:
    """How much likelier an answer became, and its tokens."""
    with measuring(begun.model):
        now = likelihoods(begun.model, answer.ids, answer.labels)
    before = likelihoods(begun.base, answer.ids, answer.labels)
    return float(now.sum() - before.sum()), len(now)


BETA = 0.3
VARIANTS = {
    "sigmoid": lambda c, r, n, m: -logsigmoid(BETA * (c - r)),
    "hinge": lambda c, r, n, m: torch.relu(1 - BETA * (c - r)),
    "ipo": lambda c, r, n, m: (c / n - r / m - 1 / (2 * BETA)) ** 2,
    "robust": lambda c, r, n, m: (
        (-0.9 * logsigmoid(BETA * (c - r)) + 0.1 * logsigmoid(-BETA * (c - r))) / 0.8
    ),
    "apo_zero": lambda c, r, n, m: 1 - torch.sigmoid(BETA * c) + torch.sigmoid(BETA * r),
}


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_dpo_is_the_loss_of_its_paper(begin: Any, variant: str, method: str) -> None:
    smoothing = {"label_smoothing": 0.1} if variant == "robust" else {}
    loss = {"name": "dpo", "beta": BETA, "loss_type": variant, **smoothing}
    begun = begin(pairs(ROWS), loss, method)
    expected = []
    for chosen, rejected in begun.rows:
        (c, n), (r, m) = ratio(begun, chosen), ratio(begun, rejected)
        expected.append(VARIANTS[variant](torch.tensor(c), torch.tensor(r), n, m))
    assert begun.mean_loss() == pytest.approx(float(torch.stack(expected).mean()), rel=1e-4)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_orpo_is_likelihood_and_odds_ratio(begin: Any, method: str) -> None:
    """The likelihood is that of the whole better conversation, prompt and answer."""
    begun = begin(pairs(ROWS), {"name": "orpo", "beta": BETA}, method)
    surprise, odds = [], []
    with measuring(begun.model):
        for chosen, rejected in begun.rows:
            surprise.append(-likelihoods(begun.model, chosen.ids, chosen.ids))
            c, r = (likelihoods(begun.model, a.ids, a.labels).mean() for a in (chosen, rejected))
            log_odds = (c - torch.log1p(-c.exp())) - (r - torch.log1p(-r.exp()))
            odds.append(-logsigmoid(log_odds))
    expected = torch.cat(surprise).mean() + BETA * torch.stack(odds).mean()
    assert begun.mean_loss() == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("rows", [pairs, judged])
def test_kto_is_the_loss_of_its_paper(begin: Any, rows: Any, method: str) -> None:
    loss = {"name": "kto", "beta": BETA, "desirable_weight": 1.2, "undesirable_weight": 0.7}
    begun = begin(rows(ROWS), loss, method)
    order = sorted(range(ROWS), key=lambda row: -begun.trainer.sequences.lengths[row])
    answers = [begun.rows[row][side] for side in range(len(begun.rows[0])) for row in order]
    others = [answers[-1], *answers[:-1]]
    drifts = [ratio(begun, mismatched(*both))[0] for both in zip(answers, others, strict=True)]
    kl = max(0.0, sum(drifts) / len(drifts))
    expected = [
        1.2 * (1 - torch.sigmoid(torch.tensor(BETA * (ratio(begun, answer)[0] - kl))))
        if answer.is_good
        else 0.7 * (1 - torch.sigmoid(torch.tensor(BETA * (kl - ratio(begun, answer)[0]))))
        for answer in answers
    ]
    assert begun.mean_loss() == pytest.approx(float(torch.stack(expected).mean()), rel=1e-4)


def mismatched(prompt: Answer, answer: Answer) -> Answer:
    ids = [*prompt.ids[: prompt.start], *answer.ids[answer.start :]]
    labels = [-100] * prompt.start + [*answer.labels[answer.start :]]
    return Answer(ids, labels, is_good=False)  # type: ignore[arg-type]


def test_before_the_first_step_nothing_has_moved(llama: Path, begin: Any) -> None:
    """Dropout would make a model differ from its reference from the start."""
    begun = begin(pairs(ROWS), None, "lora")
    for name, parameter in begun.model.named_parameters():
        if "lora_B" in name:
            parameter.data.zero_()
    (batch,) = eval_batches(begun.trainer.sequences, begun.trainer.data_collator, ROWS)
    begun.model.train()
    inputs = begun.trainer._prepare_inputs({**batch, "tokens": 0})
    loss = begun.trainer.compute_loss(begun.model, inputs, num_items_in_batch=ROWS)
    assert float(loss.detach()) == pytest.approx(0.6931472, abs=1e-6)
