"""Cross entropy by class weights: for classes of which some are rare."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxaillm.dev.finetune.losses import TargetLoss, losses
from maxaillm.dev.finetune.tasks.names import CLASSES

if TYPE_CHECKING:
    from torch import Tensor


@losses.register
class WeightedCrossEntropy(TargetLoss):
    """Cross entropy in which a rare class can count as much as a frequent one.

    Divided by the number of targets, not by their summed weights as torch's mean is: so a
    batch of rare classes takes a larger step, and accumulated batches equal one large batch.
    """

    label: ClassVar[str] = "Weighted cross entropy"
    tasks: ClassVar[frozenset[str]] = CLASSES

    name: Literal["weighted_cross_entropy"] = "weighted_cross_entropy"
    weights: dict[str, Annotated[float, Field(gt=0, le=1e6)]] | None = Field(
        None,
        title="Class weights",
        description="A label and its weight; other labels weigh 1. Empty: balanced, so that "
        "each class counts the same in all.",
    )
    _of_classes: tuple[float, ...] = PrivateAttr(())

    def for_classes(self, labels: Sequence[str], counts: Sequence[int]) -> Self:
        """Raises ConfigError where a weight is given for a class that no row has."""
        ready = self.model_copy()
        if self.weights:
            self.check_labels(labels)
            ready._of_classes = tuple(self.weights.get(label, 1.0) for label in labels)
        else:
            ready._of_classes = balanced(counts)
        return ready

    def check_labels(self, labels: Sequence[str]) -> None:
        problems = []
        for label, weight in (self.weights or {}).items():
            if label not in labels:
                nearest = get_close_matches(label, labels, n=1)
                guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
                message = f"No row has the label {label!r}.{guess}"
                path = "training.loss.weights"
                problems.append(Problem(path, message, f"{label}: {weight}", ", ".join(labels)))
        if problems:
            raise ConfigError(problems)

    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        weight = logits.new_tensor(self._of_classes) if self._of_classes else None
        return cross_entropy(logits, targets, weight=weight, reduction="sum")


def balanced(counts: Sequence[int]) -> tuple[float, ...]:
    """n / (k * count), as scikit-learn weighs classes; k is how many classes have rows."""
    even = sum(counts) / sum(count > 0 for count in counts)
    return tuple(even / count if count else 1.0 for count in counts)
