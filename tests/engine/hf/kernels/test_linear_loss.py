"""Head and loss in one are exact: in tiles or chunks, for every loss, head frozen or trained."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from maxaillm.dev.finetune.hf.kernels import likelihood_loss as tiles
from maxaillm.dev.finetune.hf.kernels import linear_loss as chunks
from maxaillm.dev.finetune.hf.kernels.linear_loss import linear_loss
from maxaillm.dev.finetune.losses import LikelihoodLoss, TargetLoss, losses
from maxaillm.dev.finetune.losses.cross_entropy import CrossEntropy

WORDS, WIDTH, ROWS = 50, 16, 23


class SquaredError(TargetLoss):
    """A loss that needs the logits themselves, as one from an installed package may."""

    name: Literal["squared_error"] = "squared_error"

    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        aims = nn.functional.one_hot(targets, logits.shape[1]).to(logits.dtype)
        return (logits - aims).square().sum()


EVERY_LOSS = [
    *(cls(name=name) for name, cls in losses.items() if "causal_lm" in cls.tasks),
    SquaredError(),
]


@pytest.fixture(params=[(7, 7 * WORDS), (64, 9999), (13, 5 * WORDS)], ids=["odd", "one", "wide"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and words come in several pieces, the last one short, or in one."""
    tile, values = request.param
    monkeypatch.setattr(tiles, "TILE_ROWS", tile)
    monkeypatch.setattr(tiles, "TILE_WORDS", tile)
    monkeypatch.setattr(tiles, "KEPT_BYTES", values * torch.double.itemsize)
    monkeypatch.setattr(chunks, "CHUNK_VALUES", values)


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("loss", EVERY_LOSS, ids=lambda loss: loss.name)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "plain"])
@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "trained"])
def test_loss_and_gradients_are_the_ordinary_ones(
    loss: TargetLoss, bias: bool, frozen: bool
) -> None:
    torch.manual_seed(0)
    head = nn.Linear(WIDTH, WORDS, bias=bias).double().requires_grad_(not frozen)
    hidden = torch.randn(ROWS, WIDTH, dtype=torch.double, requires_grad=True)
    targets = torch.randint(WORDS, (ROWS,))

    wanted = [hidden] if frozen else [hidden, *head.parameters()]

    total = linear_loss(head, hidden, targets, loss)
    made = torch.autograd.grad(total * 0.25, wanted)
    expected = loss.total(head(hidden), targets)
    theirs = torch.autograd.grad(expected * 0.25, wanted)
    torch.testing.assert_close(total.double(), expected, rtol=1e-6, atol=1e-6)
    for mine, other in zip(made, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("bias", [0.0, 1e4])
def test_logits_of_any_size_give_finite_figures(bias: float) -> None:
    """Also where the maximum comes last, and where a target is next to impossible."""
    head = nn.Linear(WIDTH, WORDS)
    nn.init.normal_(head.weight, std=1e3)
    head.bias.data = torch.linspace(-bias, bias, WORDS)
    hidden = torch.randn(ROWS, WIDTH, requires_grad=True)
    targets = torch.arange(ROWS)
    total = linear_loss(head, hidden, targets, CrossEntropy())
    gradients = torch.autograd.grad(total, (hidden, head.weight, head.bias))
    expected = CrossEntropy().total(head(hidden), targets)
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-2)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_half_precision_adds_up_in_single() -> None:
    torch.manual_seed(0)
    head = nn.Linear(WIDTH, 4000, bias=False).bfloat16()
    hidden = torch.randn(ROWS, WIDTH).bfloat16().requires_grad_()
    targets = torch.randint(4000, (ROWS,))
    total = linear_loss(head, hidden, targets, CrossEntropy())
    (gradient,) = torch.autograd.grad(total, hidden)
    whole = hidden.detach().float().requires_grad_()
    expected = CrossEntropy().total(nn.functional.linear(whole, head.weight.float()), targets)
    (theirs,) = torch.autograd.grad(expected, whole)
    assert total.dtype == torch.float32
    torch.testing.assert_close(total, expected, rtol=1e-3, atol=0)
    torch.testing.assert_close(gradient.float(), theirs, rtol=2e-2, atol=2e-3)


def test_usual_losses_need_no_logits() -> None:
    assert all(isinstance(loss, LikelihoodLoss) for loss in EVERY_LOSS[:-1])
