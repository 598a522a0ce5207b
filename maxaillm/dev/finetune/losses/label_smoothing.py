"""Cross entropy with smoothed labels: no answer is to be wholly certain."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.losses import LikelihoodLoss, losses
from maxaillm.dev.finetune.tasks.names import CLASSES, TOKENS

if TYPE_CHECKING:
    from torch import Tensor


@losses.register
class LabelSmoothing(LikelihoodLoss):
    """Cross entropy that leaves a small share to the other classes: less sure of itself."""

    label: ClassVar[str] = "Label smoothing"
    tasks: ClassVar[frozenset[str]] = TOKENS | CLASSES
    asks_for_mean: ClassVar[bool] = True

    name: Literal["label_smoothing"] = "label_smoothing"
    epsilon: float = Field(
        0.1,
        gt=0,
        lt=1,
        title="Smoothing",
        description="Share of the target spread evenly over all classes. "
        "0.1 is usual (Szegedy et al. 2016).",
    )

    def of_likelihood(self, target: Tensor, mean: Tensor) -> Tensor:
        return -((1 - self.epsilon) * target + self.epsilon * mean).sum()
