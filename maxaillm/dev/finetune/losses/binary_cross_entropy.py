"""Binary cross entropy: every class by itself, for rows with any number of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from maxaillm.dev.finetune.losses import TargetLoss, losses

if TYPE_CHECKING:
    from torch import Tensor


@losses.register
class BinaryCrossEntropy(TargetLoss):
    """Each label of a row is a question of its own, yes or no; averaged over rows and labels."""

    label: ClassVar[str] = "Binary cross entropy"
    tasks: ClassVar[frozenset[str]] = frozenset({"sequence_classification"})
    targets: ClassVar[Literal["class", "classes", "number"]] = "classes"

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"

    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(logits, targets.to(logits.dtype), reduction="sum")
