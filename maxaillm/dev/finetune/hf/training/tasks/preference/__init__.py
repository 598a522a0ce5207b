"""Preference tuning: a model that writes learns which answers are better."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import compress
from typing import Any, ClassVar, NamedTuple

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.columns.messages import AnswerColumn
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxaillm.dev.finetune.hf.batches.collate import Sequences, eval_batches
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder
from maxaillm.dev.finetune.hf.training.tasks import Examples, Observed, Stream
from maxaillm.dev.finetune.hf.training.tasks.causal_lm import CausalLM
from maxaillm.dev.finetune.hf.training.tasks.preference.batches import PreferenceCollator, flat
from maxaillm.dev.finetune.hf.training.tasks.preference.rows import (
    PreferenceEncoder,
    answers_in,
)
from maxaillm.dev.finetune.hf.training.token_loss import token_losses
from maxaillm.dev.finetune.losses import PreferenceLoss, losses
from maxaillm.dev.finetune.losses.dpo import DPO
from maxaillm.dev.finetune.losses.kto import KTO
from maxaillm.dev.finetune.metrics import Answered, Compared, TokenLoss

Answers = list[TokenLoss]
"""Of a row: how surprised a model is by each of its answers."""


class HeldOut(NamedTuple):
    """What is known of the held-out rows of a run before its first step."""

    collator: PreferenceCollator
    """With what the model made of them, where the loss refers to that."""
    at_first: list[Answers]
    mean_loss: Callable[[Mapping[str, Tensor]], float]
    """Of a batch, what training minimises."""


class PreferenceTask(CausalLM):
    """Chat models that learn from preferences; `held_out` is set where a run has such rows."""

    name: ClassVar[str] = "preference"
    aligned: ClassVar[bool] = False
    trainer: ClassVar[str] = "preference"
    one_answer_a_row: ClassVar[bool] = False

    held_out: HeldOut | None = None

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
        return PreferenceEncoder(tokenizer, width).under(self.config.data)

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
        if self.held_out is None:
            every = [answer for row in now for answer in row]
            liked = [
                answer
                for row, good in zip(now, goods, strict=True)
                for answer in compress(row, good)
            ]
            return Observed(liked or every, compared(now, goods, None))
        found: list[TokenLoss] = []
        for batch in eval_batches(sequences, self.held_out.collator, batch_size):
            mean = self.held_out.mean_loss(batch)
            found += [TokenLoss(mean, 1)] * len(batch["rows"])
        return Observed(found, compared(now, goods, self.held_out.at_first))

    def answer(self, model: Any, rows: Rows, tokenizer: Tokenizer) -> list[Answered]:
        return []


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
