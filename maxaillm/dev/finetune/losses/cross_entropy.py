"""Cross entropy: the usual objective of language models."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from maxaillm.dev.finetune.losses import Loss, losses

if TYPE_CHECKING:
    from torch import Tensor


@losses.register
class CrossEntropy(Loss):
    """The negative log-likelihood of the trained tokens, averaged over the tokens of a step."""

    label: ClassVar[str] = "Cross entropy"

    name: Literal["cross_entropy"] = "cross_entropy"

    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, targets, reduction="sum")

    def total_and_gradient(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """softmax(logits) minus one at the target.

        The largest logit and its share give the log of the sum, so exp is taken only once; that
        share is at least one over the vocabulary and its log therefore exact.
        """
        at_target = targets.unsqueeze(1)
        gradient = logits.softmax(1)
        log_sum = logits.amax(1) - gradient.amax(1).log()
        total = log_sum.sum() - logits.gather(1, at_target).sum()
        gradient.scatter_add_(1, at_target, gradient.new_full(at_target.shape, -1))
        return total, gradient
