"""Focal loss: what is right already counts less, so that training turns to the hard cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.losses import LikelihoodLoss, losses
from maxaillm.dev.finetune.tasks.names import CLASSES, TOKENS

if TYPE_CHECKING:
    from torch import Tensor


@losses.register
class Focal(LikelihoodLoss):
    """Cross entropy times (1 - p) ** gamma, p being what the model gives the right class."""

    label: ClassVar[str] = "Focal loss"
    tasks: ClassVar[frozenset[str]] = TOKENS | CLASSES

    name: Literal["focal"] = "focal"
    gamma: float = Field(
        2,
        ge=0,
        le=10,
        title="Focus",
        description="How little easy cases count; 0 is cross entropy. 2 is usual "
        "(Lin et al. 2017).",
    )

    def of_likelihood(self, target: Tensor, mean: Tensor) -> Tensor:
        from torch import expm1

        missing = -expm1(target)  # 1 - p, exact where p is near one
        # Zero to a small power is infinitely steep: what is nowhere wrong teaches nothing.
        return -(missing.clamp_min(1e-12) ** self.gamma * target).sum()
