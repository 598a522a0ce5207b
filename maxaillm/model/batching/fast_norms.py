"""RMSNorm in one operation: torch's own in place of the five that models spell out."""

from __future__ import annotations

from types import MethodType
from typing import Any

from torch import Tensor
from torch.nn.functional import rms_norm

from maxaillm.dev.finetune.hf.kernels.rms_norm import epsilon_of, is_rms_norm


def normed(self: Any, hidden_states: Tensor) -> Tensor:
    if hidden_states.dtype != self.weight.dtype:
        made: Tensor = type(self).forward(self, hidden_states)
        return made
    return rms_norm(hidden_states, self.weight.shape, self.weight, self.epsilon_here)


def use_fast_norms(model: Any) -> None:
    """Let every module that computes just this do it so."""
    for module in model.modules():
        if is_rms_norm(module):
            module.epsilon_here = epsilon_of(module)
            module.forward = MethodType(normed, module)
