"""Cross entropy: the usual objective, of language models and classifiers alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from maxaillm.dev.finetune.losses import LikelihoodLoss, losses
from maxaillm.dev.finetune.tasks.names import CLASSES, TOKENS

if TYPE_CHECKING:
    from torch import Tensor


@losses.register
class CrossEntropy(LikelihoodLoss):
    """The negative log-likelihood of what is right, averaged over what a step teaches."""

    label: ClassVar[str] = "Cross entropy"
    tasks: ClassVar[frozenset[str]] = TOKENS | CLASSES

    name: Literal["cross_entropy"] = "cross_entropy"

    def of_likelihood(self, target: Tensor, mean: Tensor) -> Tensor:
        return -target.sum()
