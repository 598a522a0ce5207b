"""AdaLoRA: LoRA that shifts its rank, while training, to the layers that need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from maxaillm.dev.finetune.methods import FEW_BITS, Plan, methods
from maxaillm.dev.finetune.methods.shared.peft import (
    ADAPTER,
    LayerMethod,
    put_back,
    trained_tensors,
)
from maxaillm.dev.finetune.model_files.shapes import Layer, ModelShapes

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

STATISTICS = ("ipt", "exp_avg_ipt", "exp_avg_unc")
PATTERN = "rank_pattern"


@methods.register
class AdaLoRA(LayerMethod):
    """Begins with more rank than LoRA and prunes it to a budget. For a better use of few weights.

    The paper's penalty, which keeps the matrices near orthogonal, is left out: a step minimises
    the chosen loss and nothing else, so curves compare with those of other methods.
    """

    label: ClassVar[str] = "AdaLoRA"
    recommended_learning_rate: ClassVar[float] = 5e-4  # Zhang et al. 2023, appendix: MNLI
    costs: ClassVar[str] = "Half as much again as LoRA; a tenth slower. Can be merged."
    config_name: ClassVar[str] = "AdaLoraConfig"
    peft_type: ClassVar[str | None] = "ADALORA"
    trains_rows: ClassVar[bool] = True
    quantizes: ClassVar[frozenset[str]] = FEW_BITS

    name: Literal["adalora"] = "adalora"
    init_r: int = Field(
        12,
        ge=2,
        le=1024,
        title="Rank at first",
        description="Rank of every layer in the beginning.",
    )
    target_r: int = Field(
        8,
        ge=1,
        le=1023,
        title="Rank at last",
        description="Mean rank of the layers in the end.",
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
    warmup_share: float = Field(
        0.1,
        ge=0,
        le=0.9,
        title="Steps before pruning",
        description="Share of the run in which every layer keeps its first rank.",
        json_schema_extra={"advanced": True},
    )
    final_share: float = Field(
        0.3,
        ge=0,
        le=0.9,
        title="Steps after pruning",
        description="Share of the run that trains the ranks which are left.",
        json_schema_extra={"advanced": True},
    )

    @model_validator(mode="after")
    def something_is_pruned(self) -> Self:
        if self.target_r >= self.init_r:
            raise ValueError("The rank at last must be below the rank at first.")
        if self.warmup_share + self.final_share >= 1:
            raise ValueError("No steps are left for pruning: lower the shares before and after.")
        return self

    def options(self, base: ModelShapes, plan: Plan) -> dict[str, Any]:
        options = super().options(base, plan)
        before = int(options.pop("warmup_share") * plan.steps)
        after = int(options.pop("final_share") * plan.steps)
        return {**options, "tinit": before, "tfinal": after, "total_step": plan.steps}

    def count(self, layer: Layer) -> int:
        return self.init_r * (layer.inputs + layer.outputs + 1)

    def after_step(self, model: PreTrainedModel, step: int) -> None:
        model.base_model.update_and_allocate(step)

    def checkpoint_state(self, model: PreTrainedModel) -> Mapping[str, Tensor]:
        """A saved adapter is trimmed to the ranks that are left; training needs all of them, and
        what it knows of their importance."""
        import torch

        allocator = model.base_model.rankallocator
        kept = model.peft_config[ADAPTER].rank_pattern or {}
        counted = {
            f"{name}/{key}": tensor.contiguous()
            for name in STATISTICS
            for key, tensor in getattr(allocator, name).items()
        }
        masks = {f"{PATTERN}/{key}": torch.tensor(mask) for key, mask in kept.items()}
        return trained_tensors(model) | counted | masks

    def restore_state(self, model: PreTrainedModel, state: Mapping[str, Tensor]) -> None:
        put_back(model, state)
        allocator = model.base_model.rankallocator
        for name in STATISTICS:
            found = below(state, name)
            setattr(allocator, name, {key: t.to(model.device).clone() for key, t in found.items()})
        masks = {key: mask.tolist() for key, mask in below(state, PATTERN).items()}
        model.peft_config[ADAPTER].rank_pattern = masks or None


def below(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.partition("/")[2]: t for key, t in state.items() if key.startswith(f"{name}/")}
