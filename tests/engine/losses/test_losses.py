"""Every loss: equal to torch's, with an exact gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional

from maxaillm.dev.finetune.errors import ConfigError
from maxaillm.dev.finetune.losses import TargetLoss, losses
from maxaillm.dev.finetune.losses.cross_entropy import CrossEntropy
from maxaillm.dev.finetune.losses.focal import Focal
from maxaillm.dev.finetune.losses.label_smoothing import LabelSmoothing
from maxaillm.dev.finetune.losses.weighted_cross_entropy import WeightedCrossEntropy

ROWS, CLASSES = 17, 5
LABELS = ["ham", "spam", "news", "lists", "rest"]
COUNTS = [8, 4, 2, 2, 1]


def target_losses() -> Iterator[Any]:
    """Of each kind, as it comes and as it is after it has seen the classes."""
    for name, cls in losses.items():
        if issubclass(cls, TargetLoss):
            yield pytest.param(cls(name=name), id=name)
            yield pytest.param(cls(name=name).for_classes(LABELS, COUNTS), id=f"{name}-classes")
    yield pytest.param(Focal(gamma=0.5), id="focal-half")


def example(loss: TargetLoss) -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(0)
    if loss.targets == "number":
        return torch.randn(ROWS, generator=chance, dtype=torch.double), torch.arange(ROWS).double()
    logits = 3 * torch.randn(ROWS, CLASSES, generator=chance, dtype=torch.double)
    if loss.targets == "classes":
        return logits, torch.randint(2, (ROWS, CLASSES), generator=chance).double()
    return logits, torch.randint(CLASSES, (ROWS,), generator=chance)


@pytest.mark.parametrize("loss", target_losses())
def test_gradient_is_that_of_the_total(loss: TargetLoss) -> None:
    logits, targets = example(loss)
    total, gradient = loss.total_and_gradient(logits.clone(), targets)
    inputs = logits.requires_grad_()
    expected = loss.total(inputs, targets)
    (by_torch,) = torch.autograd.grad(expected, inputs)
    torch.testing.assert_close(total, expected.detach())
    torch.testing.assert_close(gradient, by_torch)
    assert torch.autograd.gradcheck(lambda values: loss.total(values, targets), inputs)


@pytest.mark.parametrize("loss", target_losses())
def test_parts_add_up_to_the_whole(loss: TargetLoss) -> None:
    logits, targets = example(loss)
    parts = [loss.total(logits[part], targets[part]) for part in (slice(5), slice(5, None))]
    torch.testing.assert_close(sum(parts), loss.total(logits, targets))


@pytest.mark.parametrize("loss", target_losses())
def test_certainty_in_float32_is_no_number_out_of_range(loss: TargetLoss) -> None:
    logits, targets = (tensor.float() for tensor in example(loss))
    targets = targets.long() if loss.targets == "class" else targets
    total, gradient = loss.total_and_gradient(1e4 * logits, targets)
    assert torch.isfinite(total)
    assert torch.isfinite(gradient).all()


def test_equal_to_torchs() -> None:
    logits, targets = example(CrossEntropy())
    smoothed = functional.cross_entropy(logits, targets, label_smoothing=0.2, reduction="sum")
    torch.testing.assert_close(LabelSmoothing(epsilon=0.2).total(logits, targets), smoothed)
    torch.testing.assert_close(
        Focal(gamma=0).total(logits, targets), CrossEntropy().total(logits, targets)
    )
    right = logits.softmax(1).gather(1, targets[:, None])
    by_hand = (-((1 - right) ** 2) * right.log()).sum()
    torch.testing.assert_close(Focal(gamma=2).total(logits, targets), by_hand)
    weight = torch.tensor([1, 3.5, 1, 0.5, 1], dtype=torch.double)
    weighted = WeightedCrossEntropy(weights={"spam": 3.5, "lists": 0.5})
    torch.testing.assert_close(
        weighted.for_classes(LABELS, COUNTS).total(logits, targets),
        functional.cross_entropy(logits, targets, weight=weight, reduction="sum"),
    )


def test_balanced_weights_are_scikit_learns() -> None:
    seen = np.repeat(np.arange(CLASSES), COUNTS)
    expected = compute_class_weight("balanced", classes=np.arange(CLASSES), y=seen)
    balanced = WeightedCrossEntropy().for_classes(LABELS, COUNTS)
    found = balanced.total(torch.zeros(1, CLASSES), torch.tensor([4])) / np.log(CLASSES)
    assert float(found) == pytest.approx(expected[4])
    assert float(expected @ COUNTS) == pytest.approx(sum(COUNTS)), "the mean weight is one"


def test_a_class_without_rows_does_not_disturb_the_balance() -> None:
    balanced = WeightedCrossEntropy().for_classes(["a", "b", "never"], [3, 1, 0])
    totals = [
        float(balanced.total(torch.zeros(1, 3), torch.tensor([at]))) / np.log(3) for at in range(3)
    ]
    assert totals == pytest.approx([4 / 6, 4 / 2, 1])


def test_a_weight_for_no_class_is_refused_with_the_known_ones() -> None:
    loss = WeightedCrossEntropy(weights={"spma": 2, "ham": 1})
    with pytest.raises(ConfigError) as caught:
        loss.for_classes(LABELS, COUNTS)
    (problem,) = caught.value.problems
    assert problem.path == "training.loss.weights"
    assert "Did you mean 'spam'?" in problem.message
    assert problem.allowed == "ham, spam, news, lists, rest"
