"""LoRA: small matrices beside the layers are trained, the layers stay."""

from __future__ import annotations

from typing import ClassVar, Literal

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LoraMethod


@methods.register
class LoRA(LoraMethod):
    """Trains small matrices beside each layer and leaves the base as it is. Start here."""

    label: ClassVar[str] = "LoRA"
    usual: ClassVar[bool] = True
    recommended_learning_rate: ClassVar[float] = 2e-4  # QLoRA (Dettmers et al. 2023), up to 13B
    costs: ClassVar[str] = (
        "A percent of the weights and their optimizer; a few percent slower. Can be merged."
    )

    name: Literal["lora"] = "lora"
