"""Token loss: of a model that writes, on a batch, in training and in evaluation alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from maxaillm.dev.finetune.hf.batches.rows import IGNORED
from maxaillm.dev.finetune.hf.kernels.linear_loss import (
    CHUNK_VALUES,
    headless,
    is_linear,
    linear_loss,
)
from maxaillm.dev.finetune.hf.loading.packing_probe import output_head
from maxaillm.dev.finetune.losses import TargetLoss
from maxaillm.dev.finetune.losses.cross_entropy import CrossEntropy
from maxaillm.dev.finetune.metrics import TokenLoss

LOGITS_BIAS = "final_logits_bias"
"""BART's family adds this buffer to what the head makes."""


class TokenLossOf:
    """Sums a loss over the learned tokens of a batch.

    Only at those are logits made, and in chunks where the head is a plain linear layer. The
    sum is what is exact under gradient accumulation: models that return their own mean get
    that wrong in several ways. A plain head computes in `dtype`, where one is given: mixed
    precision does not reach what is done outside the model. `shifted`: a position says the
    token after it, as in causal models.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        loss: TargetLoss,
        dtype: torch.dtype | None = None,
        *,
        shifted: bool = True,
    ) -> None:
        self.loss, self.shifted = loss, shifted
        self.head = output_head(model)
        self.chunked = is_linear(self.head)
        self.biased = next((m for m in model.modules() if LOGITS_BIAS in m._buffers), None)
        held = next(self.head.parameters()).dtype if self.head else torch.float32
        self.dtype = dtype if dtype and self.chunked else held

    def __call__(self, model: Any, inputs: Mapping[str, Any], labels: Tensor) -> Tensor:
        hidden, targets, _ = self.learned(model, inputs, labels)
        if self.chunked and self.head is not None:
            return linear_loss(self.head, hidden, targets, self.loss)
        return self.loss.total(self.logits(hidden), targets)

    def learned(
        self, model: Any, inputs: Mapping[str, Any], labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the head gets where something is learned (logits, where no head is known), the
        targets there, and where that is among the labels."""
        with self.without_logits():
            output = model(**inputs, use_cache=False).logits
        output = output[:, -labels.shape[1] :]  # after virtual tokens, which have no labels
        if self.shifted:
            output, labels = output[:, :-1], labels[:, 1:]
        at = labels != IGNORED
        hidden = output[at]
        return hidden.to(self.dtype) if self.head else hidden, labels[at], at

    @contextmanager
    def without_logits(self) -> Iterator[None]:
        """Within, a model whose head is known returns what that head would get."""
        if self.head is None:
            yield
            return
        bias = getattr(self.biased, LOGITS_BIAS, None)
        if bias is not None:  # zeros, or the head's output would not be the model's
            setattr(self.biased, LOGITS_BIAS, bias[:, :1])
        try:
            with headless(self.head):
                yield
        finally:
            if bias is not None:
                setattr(self.biased, LOGITS_BIAS, bias)

    def logits(self, hidden: Tensor) -> Tensor:
        return (self.head(hidden) if self.head else hidden).float()

    def by_row(
        self, model: Any, inputs: Mapping[str, Any], labels: Tensor, rows: Tensor
    ) -> Iterator[tuple[int, TokenLoss]]:
        """The number of each row in the batch, and what is made of its tokens."""
        hidden, targets, at = self.learned(model, inputs, labels)
        owners = (rows[:, 1:] if self.shifted else rows)[at].cpu()
        size = max(1, CHUNK_VALUES // self.logits(hidden[:1]).shape[-1])
        losses, right = [], []
        for part in (slice(at, at + size) for at in range(0, len(targets), size)):
            logits = self.logits(hidden[part])
            losses.append(cross_entropy(logits, targets[part], reduction="none"))
            right.append(logits.argmax(-1) == targets[part])
        values, hits = torch.cat(losses).double().cpu(), torch.cat(right).cpu()
        for row in sorted(set(owners.tolist())):
            own = owners == row
            yield row, TokenLoss(float(values[own].sum()), int(own.sum()), int(hits[own].sum()))


def token_losses(
    model: PreTrainedModel,
    batches: Iterable[Mapping[str, Tensor]],
    count: int,
    *,
    shifted: bool = True,
    forward: Any = None,
) -> list[TokenLoss]:
    """The negative log-likelihood of each of `count` rows; no random number is drawn. `forward`:
    what is called in place of the model."""
    likelihood = TokenLossOf(model, CrossEntropy(), shifted=shifted)
    found: dict[int, TokenLoss] = defaultdict(lambda: TokenLoss(0.0, 0))
    for batch in batches:
        inputs = {name: value.to(model.device) for name, value in batch.items()}
        labels, rows = inputs.pop("labels"), inputs.pop("rows")
        for row, part in likelihood.by_row(forward or model, inputs, labels, rows):
            before = found[row]
            found[row] = TokenLoss(
                before.total + part.total, before.tokens + part.tokens, before.right + part.right
            )
    return [found[row] for row in range(count)]


@contextmanager
def measuring(model: PreTrainedModel) -> Iterator[None]:
    """Without gradients and dropout; afterwards the model is as it was."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)
