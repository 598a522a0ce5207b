"""Mean squared error: for rows whose label is a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from maxaillm.dev.finetune.losses import TargetLoss, losses

if TYPE_CHECKING:
    from torch import Tensor


@losses.register
class MeanSquaredError(TargetLoss):
    """The squared distance of prediction and label, averaged: large misses count most."""

    label: ClassVar[str] = "Mean squared error"
    tasks: ClassVar[frozenset[str]] = frozenset({"sequence_classification"})
    targets: ClassVar[Literal["class", "classes", "number"]] = "number"

    name: Literal["mean_squared_error"] = "mean_squared_error"

    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        from torch.nn.functional import mse_loss

        return mse_loss(logits, targets.to(logits.dtype), reduction="sum")
