"""What training minimises, one module each. This file is their contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from maxaillm.dev.finetune.registry import Component, Registry

if TYPE_CHECKING:
    from torch import Tensor

TOKENS = frozenset({"causal_lm", "seq2seq_lm", "masked_lm"})
"""Tasks that learn one token out of a vocabulary."""
CLASSES = frozenset({"sequence_classification", "token_classification"})
"""Tasks that learn one class out of a few."""


class Loss(Component, ABC):
    """A training objective; its fields are its options."""

    tasks: ClassVar[frozenset[str]]
    """The tasks that it can train."""


class TargetLoss(Loss):
    """An objective that compares what a model says with what is right, target by target."""

    targets: ClassVar[Literal["class", "classes", "number"]] = "class"
    """What a target is: the index of a class; a row's 0 or 1 for each of K classes; a number."""

    @abstractmethod
    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss summed over targets, in float32.

        "class": logits [targets, classes], targets [targets]. "classes": both [rows, K].
        "number": both [rows]. The trainer divides by the number of targets, K a row for
        "classes", in the whole step: so accumulated batches weigh by what they teach.
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

    def for_classes(self, labels: Sequence[str], counts: Sequence[int]) -> Self:
        """The loss for rows of these classes; `counts`: training rows, or tokens, of each.

        Called before training where there are classes.
        """
        return self


def softmax_and_log_sum(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax, and the log of the summed exp, with exp taken only once.

    The largest logit and its share give the log; that share is at least one over the number
    of classes and its log therefore exact.
    """
    shares = logits.softmax(1)
    return shares, logits.amax(1) - shares.amax(1).log()


losses: Registry[Loss] = Registry("loss", package=__name__)
