"""KTO: for answers that were judged one by one, good or bad."""

from __future__ import annotations

from collections.abc import Callable
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

    def check_balance(self, good: int, bad: int, warn: Callable[[str, str], object]) -> None:
        """Equation 8 of the paper: good answers are to count as much as bad ones, or a third
        more."""
        if not (good and bad):
            warn(
                f"All {good + bad} answers are {'good' if good else 'bad'}.",
                "KTO learns from the difference: add answers of the other kind.",
            )
            return
        ratio = self.desirable_weight * good / (self.undesirable_weight * bad)
        if not 0.99 <= ratio <= 1.34:
            fitting = self.undesirable_weight * bad / good
            warn(
                f"{good} good answers count {ratio:.2g} times as much as {bad} bad ones.",
                f"Set training.loss.desirable_weight to {fitting:.2g} to {fitting * 4 / 3:.2g}.",
            )

    def trl(self) -> tuple[type[Any], type[Any]]:
        from trl import KTOConfig, KTOTrainer

        return KTOConfig, KTOTrainer

    @property
    def arguments(self) -> dict[str, Any]:
        """TRL demands a fixed order, because it pairs answers with other prompts beforehand."""
        return super().arguments | {"train_sampling_strategy": "sequential"}
