"""Cross entropy with smoothed labels: no answer is to be wholly certain."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.losses import CLASSES, TOKENS, TargetLoss, losses, softmax_and_log_sum

if TYPE_CHECKING:
    from torch import Tensor


@losses.register
class LabelSmoothing(TargetLoss):
    """Cross entropy that leaves a small share to the other classes: less sure of itself."""

    label: ClassVar[str] = "Label smoothing"
    tasks: ClassVar[frozenset[str]] = TOKENS | CLASSES

    name: Literal["label_smoothing"] = "label_smoothing"
    epsilon: float = Field(
        0.1,
        gt=0,
        lt=1,
        title="Smoothing",
        description="Share of the target spread evenly over all classes. "
        "0.1 is usual (Szegedy et al. 2016).",
    )

    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, targets, reduction="sum", label_smoothing=self.epsilon)

    def total_and_gradient(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """softmax(logits) minus the smoothed target."""
        at_target = targets.unsqueeze(1)
        kept, each = 1 - self.epsilon, self.epsilon / logits.shape[1]
        gradient, log_sum = softmax_and_log_sum(logits)
        total = log_sum.sum() - kept * logits.gather(1, at_target).sum() - each * logits.sum()
        gradient -= each
        gradient.scatter_add_(1, at_target, gradient.new_full(at_target.shape, -kept))
        return total, gradient
