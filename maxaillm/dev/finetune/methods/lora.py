"""LoRA: small matrices beside the layers are trained, the layers stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.methods import Plan, Shapes, TuneMethod, methods

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
"""Literal names only: PEFT takes a single string as a regular expression, which can hang."""


@methods.register
class LoRA(TuneMethod):
    """Trains small matrices beside each layer and leaves the base as it is. Start here."""

    label: ClassVar[str] = "LoRA"
    recommended_learning_rate: ClassVar[float] = 2e-4
    keeps_base: ClassVar[bool] = True

    name: Literal["lora"] = "lora"
    r: int = Field(
        8,
        ge=1,
        le=1024,
        title="Rank",
        description="Size of the added matrices: more learns more and needs more memory.",
    )
    lora_alpha: int = Field(
        32,
        ge=1,
        le=4096,
        title="Alpha",
        description="Scale of the update; it acts as alpha divided by rank.",
    )
    lora_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        title="Dropout",
        description="Share of the inputs left out while training; guards against over-fitting.",
    )
    target_modules: list[ModuleName] | None = Field(
        None,
        min_length=1,
        max_length=64,
        title="Target modules",
        description="Names of the layers that get matrices. Empty: every linear layer.",
        json_schema_extra={"advanced": True},
    )

    def prepare(self, model: PreTrainedModel, plan: Plan) -> PreTrainedModel:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            task_type=plan.task,
            r=self.r,
            lora_alpha=self.lora_alpha,
            lora_dropout=self.lora_dropout,
            target_modules=self.target_modules or "all-linear",
        )
        return get_peft_model(model, config)

    def count_trainable(self, shapes: Shapes, model_type: str) -> int:
        """r x (in + out) for each targeted matrix (Hu et al. 2021, section 4.1)."""
        return sum(
            self.r * sum(shape)
            for name, shape in shapes.items()
            if len(shape) == 2 and self.is_targeted(name)
        )

    def is_targeted(self, parameter: str) -> bool:
        """PEFT's rules: listed names match the module's last part or its end; else all linear
        layers but embeddings and the output head."""
        module, _, kind = parameter.rpartition(".")
        if kind != "weight":
            return False
        if self.target_modules:
            ends = (module == name or module.endswith(f".{name}") for name in self.target_modules)
            return any(ends)
        return not any(part in module for part in NOT_LINEAR)


NOT_LINEAR = ("embed", "lm_head", "wte", "wpe", "shared", "norm", "score", "classifier")
