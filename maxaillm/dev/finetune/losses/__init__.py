"""What training minimises, one module each. This file is their contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from maxaillm.dev.finetune.components.registry import Component, Registry
from maxaillm.dev.finetune.data.columns.messages import AnswerColumn
from maxaillm.dev.finetune.data.examples import Example

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Component, ABC):
    """A training objective; its fields are its options."""

    tasks: ClassVar[frozenset[str]]
    """The tasks that it can train."""

    @classmethod
    def learns_from(cls, kind: type[Example]) -> bool:
        """Whether it fits what rows of a kind hold, the task given."""
        return True


class TargetLoss(Loss):
    """An objective that compares what a model says with what is right, target by target."""

    targets: ClassVar[Literal["class", "classes", "number"]] = "class"
    """What a target is: the index of a class; a row's 0 or 1 for each of K classes; a number."""

    @classmethod
    def learns_from(cls, kind: type[Example]) -> bool:
        return cls.targets == kind.targets

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


class LikelihoodLoss(TargetLoss):
    """An objective that asks only how likely targets are, and all classes on the mean.

    Of a linear head it then needs one pass over the vocabulary, and never the logits as a whole.
    """

    asks_for_mean: ClassVar[bool] = False
    """Whether it looks at the mean, which is not made otherwise."""

    @abstractmethod
    def of_likelihood(self, target: Tensor, mean: Tensor) -> Tensor:
        """The loss summed over targets, from log-likelihoods: of each target, and the mean over
        all classes in its place."""

    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        import torch

        likelihoods = logits.log_softmax(1)
        target = likelihoods.gather(1, targets.unsqueeze(1)).squeeze(1)
        mean = likelihoods.mean(1) if self.asks_for_mean else torch.full_like(target, nan)
        return self.of_likelihood(target, mean)


class PreferenceLoss(Loss):
    """An objective that tells better answers from worse ones. TRL carries it out; the options
    are in its words. It turns dropout off, so that a model starts at its reference exactly."""

    tasks: ClassVar[frozenset[str]] = frozenset({"preference"})
    needs_pairs: ClassVar[bool] = True
    """Whether it needs two answers to each prompt, or takes answers one by one."""
    has_reference: ClassVar[bool] = True
    """Whether it compares the model with what it was before the first step."""
    mismatches: ClassVar[bool] = False
    """Whether it looks at answers to other prompts too: at least two rows a batch."""
    shape: ClassVar[Literal["stacked", "judged", "sides"]]
    """How TRL's trainer takes a batch: the better answers above the worse; one by one, each with
    its judgement; the better and the worse apart."""

    @classmethod
    def learns_from(cls, kind: type[Example]) -> bool:
        return not cls.needs_pairs or len(kind.columns_of(AnswerColumn)) > 1

    @abstractmethod
    def trl(self) -> tuple[type[Any], type[Any]]:
        """TRL's classes of the arguments and of the trainer."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The options as TRL's arguments."""
        return self.model_dump(exclude={"name"})

    def check_balance(self, good: int, bad: int, warn: Callable[[str, str], object]) -> None:
        """Called with the numbers of better and worse answers before training."""


losses: Registry[Loss] = Registry("loss", package=__name__)
