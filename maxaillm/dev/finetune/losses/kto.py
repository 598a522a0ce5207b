"""KTO: for answers that were judged one by one, good or bad."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.losses import PreferenceLoss, losses


@losses.register
class KTO(PreferenceLoss):
    """Kahneman-Tversky optimization (Ethayarajh et al. 2024). A pair counts as two answers."""

    label: ClassVar[str] = "KTO"
    needs_pairs: ClassVar[bool] = False
    mismatches: ClassVar[bool] = True
    shape: ClassVar[Literal["stacked", "judged", "sides"]] = "judged"

    name: Literal["kto"] = "kto"
    beta: float = Field(
        0.1,
        gt=0,
        le=10,
        title="Beta",
        description="How closely the model stays to what it was; 0.1 is usual "
        "(Ethayarajh et al. 2024).",
    )
    desirable_weight: float = Field(
        1,
        gt=0,
        le=100,
        title="Weight of good answers",
        description="With their number, this should be 1 to 4/3 of the same for bad answers.",
    )
    undesirable_weight: float = Field(
        1,
        gt=0,
        le=100,
        title="Weight of bad answers",
        description="Raise it where bad answers are rare.",
    )

    def trl(self) -> tuple[type[Any], type[Any]]:
        from trl import KTOConfig, KTOTrainer

        return KTOConfig, KTOTrainer

    @property
    def arguments(self) -> dict[str, Any]:
        """TRL demands a fixed order, because it pairs answers with other prompts beforehand."""
        return super().arguments | {"train_sampling_strategy": "sequential"}
