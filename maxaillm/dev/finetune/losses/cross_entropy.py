"""Cross entropy: the usual objective, of language models and classifiers alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from maxaillm.dev.finetune.losses import CLASSES, TOKENS, TargetLoss, losses, softmax_and_log_sum

if TYPE_CHECKING:
    from torch import Tensor


@losses.register
class CrossEntropy(TargetLoss):
    """The negative log-likelihood of what is right, averaged over what a step teaches."""

    label: ClassVar[str] = "Cross entropy"
    tasks: ClassVar[frozenset[str]] = TOKENS | CLASSES

    name: Literal["cross_entropy"] = "cross_entropy"

    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, targets, reduction="sum")

    def total_and_gradient(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """softmax(logits) minus one at the target."""
        at_target = targets.unsqueeze(1)
        gradient, log_sum = softmax_and_log_sum(logits)
        total = log_sum.sum() - logits.gather(1, at_target).sum()
        gradient.scatter_add_(1, at_target, gradient.new_full(at_target.shape, -1))
        return total, gradient
