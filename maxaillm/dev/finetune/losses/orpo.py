"""ORPO: learns the better answer and pushes the worse one away, without a reference."""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from warnings import catch_warnings, simplefilter

from pydantic import Field

from maxaillm.dev.finetune.losses import PreferenceLoss, losses


@losses.register
class ORPO(PreferenceLoss):
    """Odds ratio preference optimization (Hong et al. 2024), for pairs of answers.

    The likelihood of prompt and better answer, plus the odds ratio of the two answers.
    """

    label: ClassVar[str] = "ORPO"
    has_reference: ClassVar[bool] = False
    shape: ClassVar[Literal["stacked", "judged", "sides"]] = "sides"

    name: Literal["orpo"] = "orpo"
    beta: float = Field(
        0.1,
        gt=0,
        le=10,
        title="Beta",
        description="How much the odds of the two answers count beside the likelihood of the "
        "better one; 0.1 is usual (Hong et al. 2024).",
    )

    def trl(self) -> tuple[type[Any], type[Any]]:
        with catch_warnings():
            simplefilter("ignore")  # that it may change: which version of TRL is up to us
            from trl.experimental.orpo import ORPOConfig, ORPOTrainer

        return ORPOConfig, ORPOTrainer
