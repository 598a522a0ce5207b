"""Fused linear loss: the output head and the loss in one, without the logits of a whole batch.

With a small model and a large vocabulary they would be most of the memory and of the time. A
loss that asks only how likely targets are takes one pass over the vocabulary in small tiles
(`likelihood_loss`); any other gets its logits in chunks, each turned into its own gradient in
place and multiplied back (as in Liger Kernel's fused linear cross entropy, Hsu et al. 2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.utils.other import TrainableTokensWrapper
from torch import Tensor, nn

from maxaillm.dev.finetune.hf.kernels.likelihood_loss import (
    LikelihoodLossOfHead,
    add_product,
    slices,
)
from maxaillm.dev.finetune.losses import LikelihoodLoss, TargetLoss

CHUNK_VALUES = 128 * 50_000
"""Logits computed at once: enough for an efficient matrix product, small beside the model."""


class LinearLoss(torch.autograd.Function):
    """Summed loss of `hidden @ weight.T + bias` against targets; the gradient is made with it."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        loss: TargetLoss,
    ) -> Tensor:
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        used = weight.to(hidden.dtype)
        used_bias = None if bias is None else bias.to(hidden.dtype)
        total = hidden.new_zeros((), dtype=torch.float32)
        by_hidden = torch.empty_like(hidden) if wants_hidden else None
        by_weight = torch.zeros_like(weight) if wants_weight else None
        by_bias = torch.zeros_like(bias) if bias is not None and wants_bias else None
        rows = max(1, CHUNK_VALUES // weight.shape[0])
        for part in slices(len(targets), rows):
            logits = nn.functional.linear(hidden[part], used, used_bias)
            summed, gradient = loss.total_and_gradient(logits.float(), targets[part])
            total += summed
            gradient = gradient.to(hidden.dtype)
            if by_hidden is not None:
                torch.mm(gradient, used, out=by_hidden[part])
            if by_weight is not None:
                add_product(by_weight, gradient.T, hidden[part])
            if by_bias is not None:
                by_bias += gradient.sum(0)
        ctx.save_for_backward(by_hidden, by_weight, by_bias)
        return total

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [None if grad is None else grad.mul_(outer[0]) for grad in ctx.saved_tensors]
        return (*scaled, None, None)


def is_linear(head: nn.Module | None) -> bool:
    """Whether a head only multiplies, by its own weights or by some rows of PEFT's in their
    place."""
    if isinstance(head, TrainableTokensWrapper):
        head = head.original_module
    return type(head) is nn.Linear


def linear_loss(head: nn.Module, hidden: Tensor, targets: Tensor, loss: TargetLoss) -> Tensor:
    """The summed loss of `head(hidden)`, which `is_linear`; hidden is [targets, width]."""
    kind = LikelihoodLossOfHead if isinstance(loss, LikelihoodLoss) else LinearLoss
    bias = getattr(head, "bias", None)
    total: Tensor = kind.apply(hidden, head.weight, bias, targets, loss)  # type: ignore[no-untyped-call]
    return total


@contextmanager
def headless(head: nn.Module) -> Iterator[None]:
    """Within, the head hands on what it gets: the model returns hidden states as its logits.

    The model itself is still called as a whole, so wrappers around it (adapters, autocast,
    gradient checkpointing, data parallelism) work as ever.
    """
    head.forward = lambda hidden: hidden
    try:
        yield
    finally:
        del head.forward
