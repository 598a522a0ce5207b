"""Cross entropy: the usual objective of language models."""

from __future__ import annotations

from typing import ClassVar, Literal

from maxaillm.dev.finetune.losses import Loss, losses


@losses.register
class CrossEntropy(Loss):
    """The negative log-likelihood of the trained tokens, averaged over the tokens of a step."""

    label: ClassVar[str] = "Cross entropy"

    name: Literal["cross_entropy"] = "cross_entropy"
