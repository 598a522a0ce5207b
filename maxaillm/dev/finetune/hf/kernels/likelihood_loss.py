"""A loss that asks only how likely targets are, with its linear head: one pass, in tiles.

By a row's state, the log of the row's summed exp has a gradient that is attention of the state
over the vocabulary: the mean of the head's weights under the softmax. So it is made as attention
is made (Dao et al. 2022), in tiles that stay in the processor's cache, with a running maximum.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from maxaillm.dev.finetune.losses import LikelihoodLoss

TILE_ROWS, TILE_WORDS = 512, 1024
"""Of a tile on a CPU: 2 MB of logits. On a GPU a tile has every word."""
KEPT_BYTES = 2**26
"""Logits that are held at once where they have to be. The gradient by the head's weights is read
and written once for each lot of rows: by 254 rows instead of 668 a step of the head took a fifth
longer (bf16, width 256, 50,257 words)."""


class Head(NamedTuple):
    """The output layer: weights, and a bias, for each word."""

    weight: Tensor
    bias: Tensor | None

    def logits(self, states: Tensor, words: slice) -> Tensor:
        bias = None if self.bias is None else self.bias[words]
        return widened(linear(states, self.weight[words], bias))

    def at(self, states: Tensor, targets: Tensor) -> Tensor:
        """The logit of each state's own target."""
        logits = (widened(states) * self.weight[targets]).sum(1)
        return logits if self.bias is None else logits + self.bias[targets]

    def mean(self, states: Tensor) -> Tensor:
        """The mean of each state's logits."""
        logits = widened(states @ self.weight.mean(0))
        return logits if self.bias is None else logits + self.bias.mean()


class Sweep:
    """One pass of some states over the vocabulary."""

    def __init__(self, states: Tensor, head: Head, tile: int, *, keep: bool) -> None:
        self.tiles: list[tuple[slice, Tensor, Tensor]] = []
        """Words, exp(logits - peak) and that peak, where they are kept."""
        wide = widened(states)
        peak = wide.new_full((len(wide), 1), torch.finfo(wide.dtype).min)
        total, self.mixed = torch.zeros_like(peak), torch.zeros_like(wide)
        for words in slices(len(head.weight), tile):
            logits = head.logits(states, words)
            higher = torch.maximum(peak, logits.amax(1, keepdim=True))
            rescale = (peak - higher).exp_()
            shares = logits.sub_(higher).exp_()
            total.mul_(rescale).add_(shares.sum(1, keepdim=True))
            shares = shares.to(states.dtype)
            add_product(self.mixed.mul_(rescale), shares, head.weight[words])
            peak = higher
            if keep:
                self.tiles.append((words, shares, peak))
        self.mixed /= total
        self.log_sum = total.log_().add_(peak)

    def add_mixed(self, into: Tensor, factors: Tensor) -> None:
        """into += softmax.T @ factors, from the tiles that were kept."""
        for words, shares, peak in self.tiles:
            rescaled = factors * (peak - self.log_sum).exp_()
            add_product(into[words], shares.T, rescaled.to(shares.dtype))


class LikelihoodLossOfHead(torch.autograd.Function):
    """Summed loss of `hidden @ weight.T + bias` against targets; the gradient is made with it."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        loss: LikelihoodLoss,
    ) -> Tensor:
        by_hidden, by_weight, by_bias = (
            torch.zeros_like(value) if value is not None and wanted else None
            for value, wanted in zip((hidden, weight, bias), ctx.needs_input_grad, strict=False)
        )
        head = Head(weight.to(hidden.dtype), None if bias is None else bias.to(hidden.dtype))
        total = hidden.new_zeros((), dtype=torch.float32)
        keep, whole = by_weight is not None or by_bias is not None, hidden.device.type != "cpu"
        kept_rows = max(1, KEPT_BYTES // (len(weight) * hidden.element_size()))
        rows = kept_rows if keep or whole else TILE_ROWS
        for part in slices(len(targets), rows):
            states, goals = hidden[part], targets[part]
            sweep = Sweep(states, head, len(weight) if whole else TILE_WORDS, keep=keep)
            summed, slopes = slopes_of(loss, head, states, goals, sweep.log_sum.squeeze(1))
            total += summed
            if by_hidden is not None:
                by_hidden[part] = slopes.by_states(head, sweep, goals)
            if by_weight is not None:
                slopes.add_by_head(by_weight, widened(states), sweep, goals)
            if by_bias is not None:
                ones = torch.ones_like(slopes.target)
                slopes.add_by_head(by_bias.unsqueeze(1), ones, sweep, goals)
        ctx.save_for_backward(by_hidden, by_weight, by_bias)
        return total

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [None if grad is None else grad.mul_(outer[0]) for grad in ctx.saved_tensors]
        return (*scaled, None, None)


class Slopes(NamedTuple):
    """The gradient of the loss by log-likelihoods, [rows, 1]: the targets' and the mean of all.

    By logits it is target * (onehot - softmax) + mean * (1 / words - softmax).
    """

    target: Tensor
    mean: Tensor | None

    @property
    def both(self) -> Tensor:
        return self.target if self.mean is None else self.target + self.mean

    def by_states(self, head: Head, sweep: Sweep, targets: Tensor) -> Tensor:
        found = self.target * head.weight[targets] - self.both * sweep.mixed
        return found if self.mean is None else found + self.mean * head.weight.mean(0)

    def add_by_head(self, into: Tensor, states: Tensor, sweep: Sweep, targets: Tensor) -> None:
        """Add to `into`, the gradient by the head's weights (or, with states of 1, its bias)."""
        sweep.add_mixed(into, -self.both * states)
        into.index_add_(0, targets, (self.target * states).to(into.dtype))
        if self.mean is not None:
            into += (self.mean * states).sum(0) / len(into)


def slopes_of(
    loss: LikelihoodLoss, head: Head, states: Tensor, targets: Tensor, log_sum: Tensor
) -> tuple[Tensor, Slopes]:
    """The summed loss, and how it changes with the log-likelihoods."""
    with torch.enable_grad():
        target = (head.at(states, targets) - log_sum).requires_grad_()
        mean = head.mean(states) - log_sum if loss.asks_for_mean else torch.full_like(target, nan)
        total = loss.of_likelihood(target, mean.requires_grad_())
    by_target, by_mean = torch.autograd.grad(total, (target, mean), allow_unused=True)
    return total.detach(), Slopes(
        by_target.unsqueeze(1), None if by_mean is None else by_mean.unsqueeze(1)
    )


def slices(count: int, size: int) -> Iterator[slice]:
    return (slice(at, min(at + size, count)) for at in range(0, count, size))


def widened(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def add_product(into: Tensor, left: Tensor, right: Tensor) -> None:
    """into += left @ right; where `into` is wider than they are, parts add up at its width."""
    if into.dtype == left.dtype:
        into.addmm_(left, right)
    else:
        into += left @ right
