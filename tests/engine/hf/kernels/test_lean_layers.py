"""Layers that keep less for the gradient are still the same layers, and stand only for those."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, LlamaConfig, Phi3Config
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm
from transformers.models.mistral.modeling_mistral import MistralMLP
from transformers.models.phi3.modeling_phi3 import Phi3MLP
from transformers.models.t5.modeling_t5 import T5LayerNorm

from maxaillm.dev.finetune.hf.kernels import rms_norm
from maxaillm.dev.finetune.hf.kernels.cpu_dropout import use_cheap_dropout
from maxaillm.dev.finetune.hf.kernels.gated_product import use_lean_gates
from maxaillm.dev.finetune.hf.kernels.lora_input import (
    DroppedProduct,
    DroppingLinear,
    use_lean_lora,
)
from maxaillm.dev.finetune.hf.kernels.rms_norm import RMSNorm, use_lean_norms

SIZES: dict[str, Any] = {
    "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2, "num_key_value_heads": 2
}  # fmt: skip


class GatedNorm(LlamaRMSNorm):  # type: ignore[misc]
    def forward(self, hidden_states: Tensor, gate: Tensor | None = None) -> Tensor:
        normed: Tensor = super().forward(hidden_states)
        return normed if gate is None else normed * gate


@pytest.mark.parametrize("kind", [LlamaRMSNorm, T5LayerNorm])
def test_norms_are_the_usual_ones(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rms_norm, "VALUES", 3 * 16)
    torch.manual_seed(0)
    module = kind(16, eps=1e-5)
    module.weight.data.normal_()
    values = torch.randn(2, 4, 16, requires_grad=True)
    usual = module(values)
    theirs = torch.autograd.grad(usual.square().sum(), (values, module.weight))
    use_lean_norms(module)
    made = module(values)
    assert "RMSNorm" in type(made.grad_fn).__name__
    torch.testing.assert_close(made, usual)
    mine = torch.autograd.grad(made.square().sum(), (values, module.weight))
    for own, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(own, other)


def test_gradient_of_a_norm_is_right() -> None:
    values, weight = (torch.randn(shape).double().requires_grad_() for shape in ((3, 5), (5,)))
    apply: Any = RMSNorm.apply
    assert torch.autograd.gradcheck(lambda *of: apply(*of, 1e-6), (values, weight))


@pytest.mark.parametrize("module", [
    Gemma3RMSNorm(16), GatedNorm(16), nn.LayerNorm(16, bias=False), nn.LayerNorm(16), nn.PReLU(16),
], ids=lambda module: type(module).__name__)  # fmt: skip
def test_another_layer_stays_as_it_is(module: nn.Module) -> None:
    use_lean_norms(module)
    assert "forward" not in vars(module)


def test_gradient_of_a_dropped_product_is_that_of_what_was_kept() -> None:
    values, weight = torch.randn(2, 3, 8).double(), torch.randn(4, 8).double()

    def always_alike(*of: Tensor) -> Tensor:
        torch.manual_seed(1)
        made: Tensor = DroppedProduct.apply(*of, 0.4, torch.double)  # type: ignore[no-untyped-call]
        return made

    inputs = (values.requires_grad_(), weight.requires_grad_())
    assert torch.autograd.gradcheck(always_alike, inputs)


@pytest.mark.parametrize("activation", ["silu", "gelu_pytorch_tanh"])
def test_gated_layers_are_the_usual_ones(activation: str) -> None:
    torch.manual_seed(0)
    llama = LlamaConfig(**SIZES, hidden_act=activation)
    for module in (LlamaMLP(llama), MistralMLP(llama)):
        found = []
        for lean in (False, True):
            if lean:
                use_lean_gates(module)
            assert ("forward" in vars(module)) is lean
            values = torch.linspace(-2, 2, 48).view(2, 3, 8).requires_grad_()
            made = module(values)
            inputs = (values, *module.parameters())
            found.append([made, *torch.autograd.grad(made.square().sum(), inputs)])
        for own, other in zip(*found, strict=True):
            torch.testing.assert_close(own, other)


def test_a_layer_that_multiplies_otherwise_stays_as_it_is() -> None:
    module = Phi3MLP(Phi3Config(**SIZES))
    use_lean_gates(module)
    assert "forward" not in vars(module)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lora_is_the_usual_one(llama: Path, dtype: torch.dtype) -> None:
    """In training by the same random numbers, and at rest; its weights keep their names."""
    config = LoraConfig(target_modules="all-linear", lora_dropout=0.3, init_lora_weights=False, r=4)
    ids = torch.arange(5, 35).view(2, 15)
    base = AutoModelForCausalLM.from_pretrained(llama, dtype=dtype)
    model = get_peft_model(base, config)
    use_cheap_dropout(model)
    names = list(model.state_dict())
    found = []
    for lean in (False, True):
        if lean:
            use_lean_lora(model)
        assert any(isinstance(m, DroppingLinear) for m in model.modules()) is lean
        torch.manual_seed(0)
        trained = model.train()(input_ids=ids).logits
        model.zero_grad()
        trained.float().square().sum().backward()
        gradients = [p.grad for p in model.parameters() if p.requires_grad]
        with torch.no_grad():
            found.append([trained.detach(), model.eval()(input_ids=ids).logits, *gradients])
    assert list(model.state_dict()) == names
    tolerance = 1e-4 if dtype == torch.float32 else 0.1
    for own, other in zip(found[1], found[0], strict=True):
        largest = float(other.abs().max())
        torch.testing.assert_close(own, other, rtol=tolerance, atol=tolerance * largest)
    merged = model.merge_and_unload()(input_ids=ids).logits
    torch.testing.assert_close(merged, found[0][1], rtol=tolerance, atol=10 * tolerance)


def test_dropout_that_is_turned_off_in_the_model_is_off(llama: Path) -> None:
    """As TRL does it, by the model's modules."""
    plain = AutoModelForCausalLM.from_pretrained(llama)
    model = get_peft_model(plain, LoraConfig(target_modules="all-linear", lora_dropout=0.5))
    use_cheap_dropout(model)
    use_lean_lora(model)
    layers = [module for module in model.modules() if isinstance(module, DroppingLinear)]
    for dropout in [module for module in model.modules() if isinstance(module, nn.Dropout)]:
        dropout.p = 0
    values = torch.randn(4, layers[0].in_features)
    assert layers[0].training
    torch.testing.assert_close(layers[0](values), values @ layers[0].weight.T)
