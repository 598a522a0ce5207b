"""GPT-2's Conv1D layers as linear ones and back: most of PEFT's methods know only the latter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D


class TransposedLinear(nn.Linear):
    """A linear layer that was a Conv1D: the same work, its weight the other way round."""


def to_linear(model: PreTrainedModel) -> None:
    replace(model, Conv1D, linear_of)


def to_conv1d(model: PreTrainedModel) -> None:
    """Undo `to_linear`, so that the model's files are those of its family."""
    replace(model, TransposedLinear, conv1d_of)


def replace(
    model: PreTrainedModel, kind: type[nn.Module], substitute: Callable[[Any], nn.Module]
) -> None:
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is kind:
                setattr(parent, name, substitute(child))


def linear_of(layer: Conv1D) -> nn.Module:
    inputs, outputs = layer.weight.shape
    return turned(layer, TransposedLinear(inputs, outputs, device="meta"))


def conv1d_of(layer: TransposedLinear) -> nn.Module:
    outputs, inputs = layer.weight.shape
    return turned(layer, Conv1D(outputs, inputs))


def turned(old: Any, new: Any) -> nn.Module:
    """`new` with the weights of `old`, the matrix turned."""
    weight = old.weight.detach().T.contiguous()
    new.weight = nn.Parameter(weight, requires_grad=old.weight.requires_grad)
    new.bias = old.bias
    module: nn.Module = new.train(old.training)
    return module
