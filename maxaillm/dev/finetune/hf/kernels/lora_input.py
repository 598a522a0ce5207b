"""LoRA's dropout and first matrix in one, on a CPU: of the dropped input only bits are kept.

Layers that read the same states (queries, keys and values; gate and up) then share what is kept of
them, where each would keep its own dropped copy.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn
from torch.nn.functional import linear

from maxaillm.dev.finetune.hf.kernels.cpu_dropout import (
    CheapDropout,
    Mask,
    draw_kept,
    keep,
    scale_of,
)


class DroppedProduct(torch.autograd.Function):
    """Values with a share dropped, times a matrix [outputs, inputs], computed in `dtype`."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor, share: float, dtype: torch.dtype
    ) -> Tensor:
        kept = draw_kept(values.shape, share)
        bits, ctx.shape = Mask.of(kept)
        ctx.scale = scale_of(share)
        ctx.save_for_backward(values, weight, bits)
        return linear(keep(values.to(dtype), kept, ctx.scale), weight.to(dtype))

    @staticmethod
    def backward(ctx: Any, *outward: Tensor) -> tuple[Tensor | None, ...]:
        values, weight, bits = ctx.saved_tensors
        [outer] = outward
        kept = Mask(bits, ctx.shape).kept()
        by_values = by_weight = None
        if ctx.needs_input_grad[0]:
            by_values = keep(outer @ weight.to(outer.dtype), kept, ctx.scale).to(values.dtype)
        if ctx.needs_input_grad[1]:
            dropped = keep(values.to(outer.dtype), kept, ctx.scale).flatten(0, -2)
            by_weight = (outer.flatten(0, -2).T @ dropped).to(weight.dtype)
        return by_values, by_weight, None, None


class DroppingLinear(nn.Linear):
    """A linear layer without bias, behind dropout. It takes values of any precision.

    `dropout` stays a module of the model, so that who turns dropout off there does so here.
    """

    def __init__(self, matrix: nn.Linear, dropout: nn.Dropout) -> None:
        super().__init__(matrix.in_features, matrix.out_features, bias=False, device="meta")
        self.weight, self.dropout = matrix.weight, dropout
        self.train(matrix.training)

    def forward(self, input: Tensor) -> Tensor:
        mixed = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if mixed else self.weight.dtype
        if not (self.training and 0 < self.dropout.p < 1):
            return super().forward(self.dropout(input).to(dtype))
        made: Tensor = DroppedProduct.apply(input, self.weight, self.dropout.p, dtype)  # type: ignore[no-untyped-call]
        return made


def use_lean_lora(model: nn.Module) -> None:
    """Put it in place of dropout and first matrix of each plain LoRA layer on a CPU."""
    layers: list[Any] = [layer for layer in model.modules() if type(layer) is LoraLinear]
    for layer in layers:
        if not layer.lora_variant and is_plain(layer):
            for name, dropout in list(layer.lora_dropout.items()):
                layer.lora_A[name] = DroppingLinear(layer.lora_A[name], dropout)
                layer.lora_dropout[name] = nn.Identity()
            layer.cast_input_dtype_enabled = False  # else there would be a copy for each layer


def is_plain(layer: Any) -> bool:
    """Whether all that its adapters do first is to drop out and to multiply."""
    dropped = all(
        isinstance(of, CheapDropout) and 0 < of.p < 1 for of in layer.lora_dropout.values()
    )
    matrices: list[Any] = list(layer.lora_A.values())
    unbiased = all(type(of) is nn.Linear and of.bias is None for of in matrices)
    return dropped and unbiased and all(of.weight.is_cpu for of in matrices)
