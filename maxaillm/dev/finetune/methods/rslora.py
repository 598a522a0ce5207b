"""rsLoRA: LoRA whose update keeps its size when the rank grows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.methods.shared.peft import LoraMethod


@methods.register
class RsLoRA(LoraMethod):
    """LoRA scaled by alpha over the root of the rank. For ranks of 32 and more."""

    label: ClassVar[str] = "rsLoRA"
    recommended_learning_rate: ClassVar[float] = (
        1e-4  # half of LoRA's: the update is larger by the root of the rank
    )
    costs: ClassVar[str] = "LoRA's memory and speed. Can be merged."
    fixed: ClassVar[Mapping[str, Any]] = {"use_rslora": True}

    name: Literal["rslora"] = "rslora"
    r: int = Field(
        32,
        ge=1,
        le=1024,
        title="Rank",
        description="Size of the added matrices: more learns more and needs more memory.",
    )
    lora_alpha: int = Field(
        16,
        ge=1,
        le=4096,
        title="Alpha",
        description="Scale of the update; it acts as alpha divided by the root of the rank.",
    )
