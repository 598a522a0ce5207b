"""How an answer is drawn from a model: one schema for form, API and engine."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

ADVANCED: dict[str, Any] = {"advanced": True}
StopWord = Annotated[str, Field(min_length=1, max_length=100)]


class SamplingOptions(BaseModel):
    """Options of one answer. Names are those of Hugging Face's GenerationConfig."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: float = Field(
        0.7,
        ge=0,
        le=2,
        title="Temperature",
        description="0: always the likeliest token. Higher: more varied, less reliable.",
    )
    top_p: float = Field(
        0.9,
        gt=0,
        le=1,
        title="Top-p",
        description="Draws from the likeliest tokens that together have this probability.",
    )
    max_new_tokens: int = Field(
        256,
        ge=1,
        le=4096,
        title="Longest answer",
        description="A longer answer is cut here.",
        json_schema_extra={"unit": "tokens"},
    )
    seed: int | None = Field(
        None,
        ge=0,
        le=2**32 - 1,
        title="Seed",
        description="The same seed gives the same answer. Empty: a new one each time.",
    )
    stop: list[StopWord] = Field(
        [],
        max_length=4,
        title="Stop words",
        description="The answer ends before the first of these. One a line.",
    )
    top_k: int | None = Field(
        None,
        ge=1,
        le=1000,
        title="Top-k",
        description="Draws from so many likeliest tokens only. Empty: from all.",
        json_schema_extra=ADVANCED | {"unit": "tokens"},
    )
    repetition_penalty: float = Field(
        1.0,
        ge=1,
        le=2,
        title="Repetition penalty",
        description="Above 1: tokens that were used become less likely.",
        json_schema_extra=ADVANCED,
    )
    frequency_penalty: float = Field(
        0.0,
        ge=-2,
        le=2,
        title="Frequency penalty",
        description="Taken from a token's score for each time that the answer has it already, as "
        "in OpenAI's API.",
        json_schema_extra=ADVANCED,
    )
    presence_penalty: float = Field(
        0.0,
        ge=-2,
        le=2,
        title="Presence penalty",
        description="Taken once from the score of every token that the answer has already, as in "
        "OpenAI's API.",
        json_schema_extra=ADVANCED,
    )
