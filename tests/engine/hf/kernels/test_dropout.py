"""Dropout with fewer random bits is still dropout: its share, its scale, its gradient, its seed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from maxaillm.dev.finetune.hf.kernels.cpu_dropout import CheapDropout, use_cheap_dropout


def dropped(share: float, values: Tensor, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    made: Tensor = CheapDropout(share)(values)
    return made


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_share_and_mean_are_as_asked(share: float) -> None:
    values = dropped(share, torch.ones(1001, 999))
    assert float((values == 0).float().mean()) == pytest.approx(share, abs=2e-3)
    assert float(values.mean()) == pytest.approx(1, abs=2e-2)
    neighbours = ((values[:, 1:] == 0) & (values[:, :-1] == 0)).float().mean()
    assert float(neighbours) == pytest.approx(share**2, abs=4e-3), "independent of each other"


def test_gradient_passes_where_values_passed() -> None:
    values = torch.randn(7, 5, 3, requires_grad=True)
    result = dropped(0.3, values)
    (gradient,) = torch.autograd.grad(result.sum(), values)
    torch.testing.assert_close(result, values * gradient)
    assert 0 < int((gradient == 0).sum()) < gradient.numel()


def test_seed_decides_and_checkpointing_draws_the_same_again() -> None:
    values = torch.randn(40, 40, requires_grad=True)
    assert torch.equal(dropped(0.5, values, 1), dropped(0.5, values, 1))
    assert not torch.equal(dropped(0.5, values, 1), dropped(0.5, values, 2))
    torch.manual_seed(1)
    again = torch.utils.checkpoint.checkpoint(CheapDropout(0.5), values, use_reentrant=False)
    (gradient,) = torch.autograd.grad(again.sum(), values)
    torch.testing.assert_close(again, values * gradient)


def test_takes_the_place_of_every_dropout_and_rests_while_measuring() -> None:
    model = nn.ModuleDict({"first": nn.Dropout(0.4), "inner": nn.Sequential(nn.Dropout(0))})
    use_cheap_dropout(model)
    assert [type(child) for child in model.modules() if isinstance(child, nn.Dropout)] == [
        CheapDropout,
        CheapDropout,
    ]
    values = torch.randn(5, 3)
    assert not torch.equal(model["first"](values), values)
    assert torch.equal(model["inner"](values), values)
    assert torch.equal(model.eval()["first"](values), values)
