"""PiSSA: LoRA that begins with the largest parts of the weights and trains those."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import Plan, methods
from maxaillm.dev.finetune.methods.shared.peft import ADAPTER, LoraMethod

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@methods.register
class PiSSA(LoraMethod):
    """Learns faster than LoRA, from the principal directions of each layer (Meng et al. 2024).

    While training, the base lacks those directions. `finish` gives them back and makes the
    adapter an ordinary LoRA of twice the rank, which lies on the untouched base.
    """

    label: ClassVar[str] = "PiSSA"
    recommended_learning_rate: ClassVar[float] = 2e-5  # Meng et al. 2024, section 5
    costs: ClassVar[str] = (
        "LoRA's; decomposes each layer first. Saved at twice the rank. Mergeable."
    )
    quantizes: ClassVar[frozenset[str]] = frozenset()
    fixed: ClassVar[Mapping[str, Any]] = {"init_lora_weights": "pissa"}

    name: Literal["pissa"] = "pissa"
    lora_alpha: int = Field(
        8,
        ge=1,
        le=4096,
        title="Alpha",
        description="Scale of the update, alpha divided by rank. PiSSA is meant for alpha = rank.",
    )
    lora_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Dropout",
        description="Share of the inputs left out while training; the method is meant for none.",
    )

    def prepare(self, model: PreTrainedModel, plan: Plan) -> PreTrainedModel:
        tuned = super().prepare(model, plan)
        for layer in lora_layers(tuned):
            for matrix in (layer.lora_A[ADAPTER], layer.lora_B[ADAPTER]):
                matrix.register_buffer("start", matrix.weight.detach().clone(), persistent=False)
        return tuned

    def finish(self, model: PreTrainedModel) -> None:
        """W' + s B A = W + s [B | B0] [A; -A0], where W' = W - s B0 A0."""
        import torch

        layers = [layer for layer in lora_layers(model) if hasattr(layer.lora_A[ADAPTER], "start")]
        for layer in layers:
            a, b = layer.lora_A[ADAPTER], layer.lora_B[ADAPTER]
            removed = layer.scaling[ADAPTER] * b.start @ a.start
            weight = layer.get_base_layer().weight
            weight.data += (removed.T if layer.fan_in_fan_out else removed).to(weight.dtype)
            a.weight = torch.nn.Parameter(torch.cat([a.weight, -a.start]).detach())
            b.weight = torch.nn.Parameter(torch.cat([b.weight, b.start], 1).detach())
            del a.start, b.start
            layer.r[ADAPTER], layer.lora_alpha[ADAPTER] = 2 * self.r, 2 * self.lora_alpha
        config = model.peft_config[ADAPTER]
        config.init_lora_weights = True
        config.r, config.lora_alpha = 2 * self.r, 2 * self.lora_alpha


def lora_layers(model: PreTrainedModel) -> Iterator[Any]:
    return (module for module in model.modules() if ADAPTER in getattr(module, "lora_A", ()))
