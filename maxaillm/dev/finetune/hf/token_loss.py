"""The loss of a causal language model on a batch, in training and in evaluation alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from maxaillm.dev.finetune.hf.collate import IGNORED
from maxaillm.dev.finetune.hf.linear_loss import headless, linear_loss
from maxaillm.dev.finetune.hf.probe import output_head
from maxaillm.dev.finetune.losses import Loss
from maxaillm.dev.finetune.losses.cross_entropy import CrossEntropy
from maxaillm.dev.finetune.metrics import TokenLoss


class TokenLossOf:
    """Sums a loss over the learned tokens of a batch.

    Only at those are logits made, and in chunks where the head is a plain linear layer. The
    sum is what is exact under gradient accumulation: models that return their own mean get
    that wrong in several ways. A plain head computes in `dtype`, where one is given: mixed
    precision does not reach what is done outside the model.
    """

    def __init__(
        self, model: PreTrainedModel, loss: Loss, dtype: torch.dtype | None = None
    ) -> None:
        self.loss = loss
        self.head = output_head(model)
        self.chunked = type(self.head) is nn.Linear
        held = next(self.head.parameters()).dtype if self.head else torch.float32
        self.dtype = dtype if dtype and self.chunked else held

    def __call__(self, model: nn.Module, inputs: Mapping[str, Any], labels: Tensor) -> Tensor:
        targets = labels[:, 1:]
        learned = targets != IGNORED
        if self.head is None:
            logits = model(**inputs, use_cache=False).logits[:, :-1][learned]
            return self.loss.total(logits.float(), targets[learned])
        with headless(self.head):
            hidden = model(**inputs, use_cache=False).logits[:, :-1][learned].to(self.dtype)
        if self.chunked and isinstance(self.head, nn.Linear):
            return linear_loss(self.head, hidden, targets[learned], self.loss)
        return self.loss.total(self.head(hidden).float(), targets[learned])


@torch.no_grad()
def measure(model: PreTrainedModel, batches: Iterable[Mapping[str, Tensor]]) -> TokenLoss:
    """The negative log-likelihood of all learned tokens; no random number is drawn."""
    was_training = model.training
    model.eval()
    likelihood = TokenLossOf(model, CrossEntropy())
    total, tokens = 0.0, 0
    for batch in batches:
        inputs = {name: value.to(model.device) for name, value in batch.items()}
        labels = inputs.pop("labels")
        total += float(likelihood(model, inputs, labels))
        tokens += int((labels[:, 1:] != IGNORED).sum())
    model.train(was_training)
    return TokenLoss(total, tokens)
