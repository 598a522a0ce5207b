"""Masked language models: gaps in a text are filled, to learn the language of a field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from transformers import AutoModelForMaskedLM, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.hf.batches.collate import (
    Batch,
    Collator,
    Sequence,
    Sequences,
    eval_batches,
)
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder, Numbered
from maxaillm.dev.finetune.hf.training.tasks import ModelTask, Objective, Observed
from maxaillm.dev.finetune.hf.training.token_loss import TokenLossOf, token_losses
from maxaillm.dev.finetune.losses import TargetLoss

MASKED_SHARE, MASK_SHARE, RANDOM_SHARE = 0.15, 0.8, 0.1
"""Devlin et al. 2019, section 3.1: of the chosen tokens 80 % are hidden, 10 % replaced."""


class PieceEncoder(Encoder):
    """Documents in pieces of the model's width, each between the special tokens."""

    def rows_of(self, batch: list[Numbered]) -> Iterator[Tokens]:
        texts = [(number, example.text) for number, example in batch if isinstance(example, Text)]
        self.drop("Only plain text can be learned by filling gaps.", len(batch) - len(texts))
        if not texts:
            return
        encoded = self.tokens_of(
            [text for _, text in texts],
            truncation=True,
            max_length=self.width,
            return_overflowing_tokens=True,
            return_special_tokens_mask=True,
        )
        for ids, special, text in zip(
            encoded.input_ids,
            encoded.special_tokens_mask,
            encoded.overflow_to_sample_mapping,
            strict=True,
        ):
            labels = [IGNORED if s else token for token, s in zip(ids, special, strict=True)]
            yield from self.kept(Tokens(ids, labels, texts[text][0]))


class MaskingCollator(Collator):
    """Hides some tokens, drawn anew each epoch by seed, epoch and row: a resumed run draws the
    same. At least one token of a row is hidden."""

    def __init__(self, rows: Rows, pad_token_id: int, tokenizer: Tokenizer, seed: int) -> None:
        super().__init__(rows, pad_token_id)
        self.mask, self.vocabulary, self.seed = int(tokenizer.mask_token_id), len(tokenizer), seed

    def __call__(self, sequences: list[Sequence]) -> Batch:
        batch = super().__call__(sequences)
        ids, labels = batch["input_ids"].numpy(), batch["labels"].numpy()
        for line, sequence in enumerate(sequences):
            drawn_by = [self.seed, 0 if self.epoch is None else self.epoch + 1, *sequence]
            self.hide(ids[line], labels[line], np.random.default_rng(drawn_by))
        return batch

    def hide(self, ids: Any, labels: Any, chance: np.random.Generator) -> None:
        may_hide = np.flatnonzero(labels != IGNORED)
        count = max(1, round(MASKED_SHARE * len(may_hide)))
        hidden = chance.permutation(may_hide)[:count]
        kind = chance.random(count)
        ids[hidden[kind < MASK_SHARE]] = self.mask
        replaced = hidden[(kind >= MASK_SHARE) & (kind < MASK_SHARE + RANDOM_SHARE)]
        ids[replaced] = chance.integers(0, self.vocabulary, len(replaced))
        labels[np.setdiff1d(may_hide, hidden)] = IGNORED


class MaskedLM(ModelTask):
    name: ClassVar[str] = "masked_lm"
    auto_class: ClassVar[Any] = AutoModelForMaskedLM
    new_head: ClassVar[bool] = True
    remark: ClassVar[str] = (
        f"{MASKED_SHARE:.0%} of the trained tokens are hidden, drawn anew in each epoch; "
        "the others are context then."
    )

    def prepare_model(self, model: PreTrainedModel, tokenizer: Tokenizer) -> None:
        if tokenizer.mask_token_id is None:
            raise ModelError(
                "The tokenizer has no mask token: gaps can't be shown to the model.",
                "Choose an encoder such as BERT, or the task causal_lm.",
            )

    def encoder(self, tokenizer: Tokenizer, width: int) -> Encoder:
        return PieceEncoder(tokenizer, width).under(self.config.data)

    def collator(self, rows: Rows, tokenizer: Tokenizer, *, packed: bool = False) -> Collator:
        seed = self.config.training.seed
        return MaskingCollator(rows, int(tokenizer.pad_token_id or 0), tokenizer, seed)

    def objective(
        self, model: PreTrainedModel, loss: TargetLoss, dtype: torch.dtype | None = None
    ) -> Objective:
        return TokenLossOf(model, loss, dtype, shifted=False)

    def observe(
        self, model: PreTrainedModel, sequences: Sequences, tokenizer: Tokenizer, batch_size: int
    ) -> Observed:
        collator = self.collator(sequences.rows, tokenizer)
        batches = eval_batches(sequences, collator, batch_size)
        return Observed(token_losses(model, batches, len(sequences.rows), shifted=False), [])

    def reply(self, model: Any, tokenizer: Tokenizer, prompt: str, max_new_tokens: int) -> str:
        """The text with its gaps, each written as the mask token, filled."""
        encoded = tokenizer(prompt, return_tensors="pt").to(model.device)
        ids, gaps = encoded["input_ids"], encoded["input_ids"] == tokenizer.mask_token_id
        filled = torch.where(gaps, model(**encoded).logits.argmax(-1), ids)
        return str(tokenizer.decode(filled[0], skip_special_tokens=True))


TASK = MaskedLM
