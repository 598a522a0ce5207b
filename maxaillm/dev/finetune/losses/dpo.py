"""DPO: the better answer is to gain on the worse one, measured against the model as it was."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from maxaillm.dev.finetune.losses import PreferenceLoss, losses

SMOOTHED = ("robust", "exo_pair")


@losses.register
class DPO(PreferenceLoss):
    """Direct preference optimization (Rafailov et al. 2023), for pairs of answers."""

    label: ClassVar[str] = "DPO"
    shape: ClassVar[Literal["stacked", "judged", "sides"]] = "stacked"

    name: Literal["dpo"] = "dpo"
    beta: float = Field(
        0.1,
        gt=0,
        le=10,
        title="Beta",
        description="How closely the model stays to what it was; 0.1 is usual "
        "(Rafailov et al. 2023).",
    )
    loss_type: Literal[
        "sigmoid", "hinge", "ipo", "robust", "exo_pair", "nca_pair", "apo_zero", "apo_down"
    ] = Field(
        "sigmoid",
        title="Variant",
        description="sigmoid: DPO as published. ipo: does not overfit pairs that are certain. "
        "hinge: as in SLiC. robust: for pairs of which some are the wrong way round.",
        json_schema_extra={"advanced": True},
    )
    label_smoothing: float = Field(
        0,
        ge=0,
        lt=0.5,
        title="Share of wrong pairs",
        description="For robust, 0.1 is usual (Chowdhury et al. 2024); for exo_pair 0.001.",
        json_schema_extra={"advanced": True},
    )

    @model_validator(mode="after")
    def smoothing_fits(self) -> Self:
        if self.label_smoothing and self.loss_type not in SMOOTHED:
            raise ValueError(f"Only {' and '.join(SMOOTHED)} take a share of wrong pairs.")
        if self.loss_type == "exo_pair" and not self.label_smoothing:
            raise ValueError("exo_pair needs a share of wrong pairs above 0, such as 0.001.")
        return self

    def trl(self) -> tuple[type[Any], type[Any]]:
        from trl import DPOConfig, DPOTrainer

        return DPOConfig, DPOTrainer

    @property
    def arguments(self) -> dict[str, Any]:
        return super().arguments | {"loss_type": [self.loss_type]}
