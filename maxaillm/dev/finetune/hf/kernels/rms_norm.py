"""RMSNorm on a CPU that keeps its input and a number a row for the gradient, in one pass.

Models spell it out in operations, each of which keeps a float for each value.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from maxaillm.dev.finetune.hf.kernels.likelihood_loss import slices, widened

VALUES = 2**17
"""Normed at once: they stay in the processor's cache."""
EPSILONS = ("variance_epsilon", "eps")
"""How models name what is added to the mean square."""


class RMSNorm(torch.autograd.Function):
    """weight * values / root of the mean square of each row (Zhang and Sennrich 2019); weight and
    values are of one precision."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        rows = values.reshape(-1, values.shape[-1])
        made = torch.empty_like(rows)
        inverse = widened(rows.new_empty(len(rows), 1))
        for part in parts_of(rows):
            wide = widened(rows[part])
            square = wide.square().mean(1, keepdim=True)
            inverse[part] = square.add_(epsilon).rsqrt_()
            made[part] = (wide * inverse[part]).mul_(weight)
        ctx.save_for_backward(values, weight, inverse)
        return made.view(values.shape)

    @staticmethod
    def backward(ctx: Any, *outward: Tensor) -> tuple[Tensor | None, ...]:
        values, weight, inverse = ctx.saved_tensors
        rows, outer = (of.reshape(-1, of.shape[-1]) for of in (values, outward[0]))
        by_rows = torch.empty_like(rows) if ctx.needs_input_grad[0] else None
        by_weight = torch.zeros_like(widened(weight)) if ctx.needs_input_grad[1] else None
        for part in parts_of(rows):
            normed, slope = widened(rows[part]) * inverse[part], widened(outer[part])
            if by_weight is not None:
                by_weight += (slope * normed).sum(0)
            if by_rows is not None:
                slope = slope * weight
                along = (slope * normed).mean(1, keepdim=True)
                by_rows[part] = slope.sub_(normed.mul_(along)).mul_(inverse[part])
        by_values = None if by_rows is None else by_rows.view(values.shape)
        return by_values, None if by_weight is None else by_weight.to(weight.dtype), None


def parts_of(rows: Tensor) -> Iterator[slice]:
    return slices(len(rows), max(1, VALUES // rows.shape[1]))


def normed(self: Any, hidden_states: Tensor) -> Tensor:
    """In place of a module's forward, for values of its weight's precision."""
    if hidden_states.dtype != self.weight.dtype:
        made: Tensor = type(self).forward(self, hidden_states)
    else:
        made = RMSNorm.apply(hidden_states, self.weight, epsilon_of(self))  # type: ignore[no-untyped-call]
    return made


def epsilon_of(module: Any) -> float | None:
    return next((getattr(module, name) for name in EPSILONS if hasattr(module, name)), None)


def use_lean_norms(model: Any) -> None:
    """Let every module on a CPU that computes just this do it so; its class stays what it is."""
    for module in model.modules():
        if is_rms_norm(module):
            module.forward = MethodType(normed, module)


def is_rms_norm(module: Any) -> bool:
    """By what it has, what it is called with, and what it makes of some values."""
    weight: Any = getattr(module, "weight", None)
    held = [*module.parameters(), *module.buffers(), *module.children()]
    if len(held) != 1 or held[0] is not weight or weight.dim() != 1:
        return False
    takes_one = len(signature(module.forward).parameters) == 1
    return takes_one and isinstance(epsilon_of(module), float) and makes_the_same(module)


@torch.no_grad()
def makes_the_same(module: Any) -> bool:
    """With weights of either sign, on a CPU."""
    weight = torch.linspace(-2, 3, len(module.weight), dtype=module.weight.dtype)
    values = torch.linspace(-5, 4, len(weight), dtype=weight.dtype).expand(1, 2, -1)
    if not module.weight.is_cpu:
        return False
    try:
        theirs: Tensor = functional_call(module, {"weight": weight}, (values,))
    except RuntimeError:  # it takes no rows
        return False
    ours: Tensor = RMSNorm.apply(values, weight, epsilon_of(module))  # type: ignore[no-untyped-call]
    tolerance = 4 * torch.finfo(ours.dtype).eps
    return theirs.dtype == ours.dtype and torch.allclose(theirs, ours, tolerance, tolerance)
