"""Preference tuning: a model that writes learns which answers are better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import compress, islice
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.columns.turns import AnswerColumn
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxaillm.dev.finetune.hf.batches.collate import Sequences, eval_batches
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder
from maxaillm.dev.finetune.hf.loading.memory import out_of_memory_said
from maxaillm.dev.finetune.hf.training.preference.batches import PreferenceCollator, flat
from maxaillm.dev.finetune.hf.training.preference.rows import (
    BAD,
    GOOD,
    PreferenceEncoder,
    answers_in,
)
from maxaillm.dev.finetune.hf.training.preference.trainer import (
    PreferenceTrainer,
    make_preference_trainer,
)
from maxaillm.dev.finetune.hf.training.tasks import Examples, Observed, Setup, Stream
from maxaillm.dev.finetune.hf.training.tasks.causal_lm import CausalLM
from maxaillm.dev.finetune.hf.training.token_loss import measuring, token_losses
from maxaillm.dev.finetune.losses import PreferenceLoss, losses
from maxaillm.dev.finetune.losses.dpo import DPO
from maxaillm.dev.finetune.losses.kto import KTO
from maxaillm.dev.finetune.metrics import Answered, Compared, TokenLoss

Answers = list[TokenLoss]
"""Of a row: how surprised a model is by each of its answers."""


class PreferenceTask(CausalLM):
    """Keeps, once there is a trainer, what the model made of the held-out rows at first."""

    name: ClassVar[str] = "preference"
    aligned: ClassVar[bool] = False

    trainer: PreferenceTrainer | None = None
    held_out: PreferenceCollator
    at_first: list[Answers]

    def survey(self, examples: Examples, settings: Mapping[str, Any]) -> None:
        """Raises ConfigError where the loss does not suit the data."""
        loss, training = self.loss, self.config.training
        if self.config.data.processor:
            raise refused(
                "data.processor",
                "A data processor can't say which answers are better.",
                self.config.data.processor,
                "none",
            )
        if loss.needs_pairs and not self.has_pairs:
            raise refused(
                "training.loss.name",
                f"{loss.label} compares two answers to a prompt; these rows have one each.",
                loss.name,
                "kto",
            )
        if loss.mismatches and training.per_device_train_batch_size < 2:
            raise refused(
                "training.per_device_train_batch_size",
                f"{loss.label} compares the answers of a batch: it needs two rows at least.",
                training.per_device_train_batch_size,
                "2 or more",
            )

    @property
    def has_pairs(self) -> bool:
        """Whether each row has a good answer and a poor one."""
        return len(self.kind.columns_of(AnswerColumn)) == 2

    @property
    def loss(self) -> PreferenceLoss:
        """The configuration's, else DPO for pairs and KTO for unpaired preferences.

        Raises ConfigError where the loss is for another task.
        """
        chosen = self.config.training.loss
        if isinstance(chosen, PreferenceLoss):
            return chosen
        serving = [name for name, loss in losses.items() if self.name in loss.tasks]
        if chosen is not None:
            message = f"{chosen.label} does not tell better answers from worse ones."
            raise refused("training.loss.name", message, chosen.name, ", ".join(serving))
        return DPO() if self.has_pairs else KTO()

    def encoder(self, tokenizer: Tokenizer, width: int) -> Encoder:
        return PreferenceEncoder(tokenizer, width)

    def streams(self, row: Tokens) -> list[Stream]:
        return [
            Stream(
                "Better answer" if answer.is_good else "Worse answer",
                answer.ids.tolist(),
                (answer.labels != IGNORED).tolist(),
            )
            for answer in answers_in(Rows.of([row]), 0)
        ]

    def collator(
        self, rows: Rows, tokenizer: Tokenizer, *, packed: bool = False
    ) -> PreferenceCollator:
        padding = int(tokenizer.pad_token_id or 0)
        return PreferenceCollator(rows, padding, mismatched=self.loss.mismatches)

    def make_trainer(self, setup: Setup) -> PreferenceTrainer:
        """A trainer of TRL's. What the model makes of the rows as it is now is kept: a loss
        that measures how far the model moves then needs no second model beside it."""
        collator = self.collator(setup.train.rows, setup.tokenizer)
        self.loss.check_balance(*counts_in(setup.train.rows), setup.attempt.warn)
        trainer = make_preference_trainer(self.loss, self.config, setup, collator)
        untuned = self.config.tuning.untuned(setup.model)
        with untuned, measuring(setup.model), out_of_memory_said(self.config):
            if self.loss.has_reference:
                seen = setup.steps * self.config.training.gradient_accumulation_steps
                look_up(trainer, collator, islice(trainer.get_train_dataloader(), seen), setup)
            if setup.held_out is not None:
                self.look_at_held_out(trainer, setup, setup.held_out)
        self.trainer = trainer
        return trainer

    def look_at_held_out(
        self, trainer: PreferenceTrainer, setup: Setup, held_out: Sequences
    ) -> None:
        size = self.config.training.per_device_train_batch_size
        self.held_out = self.collator(held_out.rows, setup.tokenizer)
        if self.loss.has_reference:
            batches = eval_batches(held_out, self.held_out, size)
            look_up(trainer, self.held_out, batches, setup)
        self.at_first = answer_losses(setup.model, held_out, self.held_out, size)

    def observe(
        self, model: PreTrainedModel, sequences: Sequences, tokenizer: Tokenizer, batch_size: int
    ) -> Observed:
        """In a run, the loss is what training minimises; of a saved model, whose beginnings are
        not known, it is the likelihood of the good answers."""
        collator = self.collator(sequences.rows, tokenizer)
        now = answer_losses(model, sequences, collator, batch_size)
        goods = [
            [answer.is_good for answer in answers_in(sequences.rows, row)]
            for row in range(len(now))
        ]
        if self.trainer is None:
            every = [answer for row in now for answer in row]
            liked = [
                answer
                for row, good in zip(now, goods, strict=True)
                for answer in compress(row, good)
            ]
            return Observed(liked or every, compared(now, goods, None))
        found: list[TokenLoss] = []
        for batch in eval_batches(sequences, self.held_out, batch_size):
            mean = self.trainer.mean_loss(batch)
            found += [TokenLoss(mean, 1)] * len(batch["rows"])
        return Observed(found, compared(now, goods, self.at_first))

    def answer(self, model: Any, rows: Rows, tokenizer: Tokenizer) -> list[Answered]:
        return []


def counts_in(rows: Rows) -> tuple[int, int]:
    """How many answers are as they should be, and how many are not."""
    marks = rows.labels.values
    return int((marks == GOOD).sum()), int((marks == BAD).sum())


def look_up(
    trainer: PreferenceTrainer,
    collator: PreferenceCollator,
    batches: Iterator[Mapping[str, Tensor]],
    setup: Setup,
) -> None:
    """Let the collator know what the model makes of the rows in `batches`; of others it is NaN,
    so that nobody takes it for a figure."""
    for batch in batches:
        setup.attempt.check_stop()
        if "stands_in" in batch:
            continue
        found = trainer.reference_of(batch).float().numpy()
        if collator.reference is None:
            shape = (len(collator.rows), *found.shape[1:])
            collator.reference = np.full(shape, np.nan, np.float32)
        collator.reference[batch["rows"].numpy()] = found


def answer_losses(
    model: PreTrainedModel, sequences: Sequences, collator: PreferenceCollator, batch_size: int
) -> list[Answers]:
    """Of each row, the negative log-likelihood of each answer."""
    count = len(answers_in(sequences.rows, 0))
    plain = PreferenceCollator(collator.rows, collator.pad_token_id, mismatched=False)

    def batches() -> Iterator[dict[str, Tensor]]:
        for batch in eval_batches(sequences, plain, batch_size):
            one_by_one = {
                name: flat(batch[name]) for name in ("input_ids", "attention_mask", "labels")
            }
            rows = batch["rows"]
            numbers = flat(
                (rows[:, None] * count).expand(-1, count) + rows.new_tensor(range(count))
            )
            shape = one_by_one["labels"].shape
            yield one_by_one | {"rows": numbers[:, None].expand(shape)}

    found = token_losses(model, batches(), count * len(sequences.rows))
    return [found[at : at + count] for at in range(0, len(found), count)]


def compared(
    now: list[Answers], goods: list[list[bool]], at_first: list[Answers] | None
) -> list[Compared]:
    """The two answers of a pair, by the token; or each good answer beside all bad ones, by what
    they have gained on what they were at first, where that is known."""
    if len(now[0]) == 2:
        return [Compared(likelihood(chosen), [likelihood(rejected)]) for chosen, rejected in now]
    gains = [likelihood(answer) for (answer,) in now]
    if at_first is not None:
        gains = [a.total - b.total for (a,), (b,) in zip(at_first, now, strict=True)]
    judged = [is_good for (is_good,) in goods]
    bad = np.array([gain for gain, is_good in zip(gains, judged, strict=True) if not is_good])
    if not len(bad):
        return []
    return [Compared(gain, bad) for gain, is_good in zip(gains, judged, strict=True) if is_good]


def likelihood(loss: TokenLoss) -> float:
    """Mean log-probability of a token."""
    return -loss.total / loss.tokens


def refused(path: str, message: str, value: Any, allowed: str) -> ConfigError:
    return ConfigError([Problem(path, message, value, allowed)])


TASK = PreferenceTask
