"""What training minimises, one module each. This file is their contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from maxaillm.dev.finetune.registry import Component, Registry

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Component, ABC):
    """A training objective; its fields are its options."""

    @abstractmethod
    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss summed over targets; `logits` is [targets, vocabulary], float32.

        The trainer divides by the number of targets in the whole step, so that accumulated
        batches weigh by their tokens.
        """

    def total_and_gradient(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """`total` and its gradient by `logits`, whose memory may be used for it.

        Called without a graph. Override where the gradient is known in closed form.
        """
        import torch

        with torch.enable_grad():
            inputs = logits.detach().requires_grad_()
            total = self.total(inputs, targets)
        (gradient,) = torch.autograd.grad(total, inputs)
        return total.detach(), gradient


losses: Registry[Loss] = Registry("loss", package=__name__)
