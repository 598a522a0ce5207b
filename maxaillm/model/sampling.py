"""How an answer is drawn from a model: one schema for form, API and engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

ADVANCED: dict[str, Any] = {"advanced": True}
PROGRAMS_ONLY: dict[str, Any] = {"hidden": True}
"""Options that no form shows: a program sets them."""
StopWord = Annotated[str, Field(min_length=1, max_length=100)]
TokenId = Annotated[int, Field(ge=0, le=2**31 - 1)]
Bias = Annotated[float, Field(ge=-100, le=100)]
SCHEMA_BYTES = 65_536
SCHEMA_DEPTH = 32
"""Levels of nesting of a JSON schema; deeper ones than people write are attacks on parsers."""


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
        ge=0,
        le=4096,
        title="Longest answer",
        description="A longer answer is cut here. 0: nothing is written, only the prompt is read.",
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
    logit_bias: dict[TokenId, Bias] = Field(
        {},
        max_length=300,
        title="Logit bias",
        description="Token id -> what is added to its score before a token is chosen, as in "
        "OpenAI's API: -100 bans it, 100 all but demands it.",
        json_schema_extra=PROGRAMS_ONLY,
    )
    logprobs: int | None = Field(
        None,
        ge=0,
        le=20,
        title="Log probabilities",
        description="Of each token of the answer. So many of the likeliest tokens come with it; "
        "0: only its own. Empty: none. They are the model's own, before penalties and sampling.",
        json_schema_extra=PROGRAMS_ONLY,
    )
    json_schema: dict[str, JsonValue] | None = Field(
        None,
        title="JSON schema",
        description=f"The answer is JSON that fits this schema: at most {SCHEMA_BYTES:,} bytes, "
        f"nested {SCHEMA_DEPTH} levels deep.",
        json_schema_extra=PROGRAMS_ONLY,
    )
    json_object: bool = Field(
        False,
        title="JSON object",
        description="The answer is a JSON object of any shape.",
        json_schema_extra=PROGRAMS_ONLY,
    )

    @field_validator("json_schema", mode="before")
    @classmethod
    def bound_schema(cls, schema: JsonValue) -> JsonValue:
        if schema is None:
            return None
        if max(depths(schema)) > SCHEMA_DEPTH:
            raise ValueError(f"The JSON schema is nested deeper than {SCHEMA_DEPTH} levels.")
        if len(json.dumps(schema)) > SCHEMA_BYTES:
            raise ValueError(f"The JSON schema has more than {SCHEMA_BYTES:,} bytes.")
        return schema

    @model_validator(mode="after")
    def choose_one_structure(self) -> SamplingOptions:
        if self.json_schema is not None and self.json_object:
            raise ValueError("Ask for a JSON schema or for any JSON object, not for both.")
        return self

    @property
    def is_structured(self) -> bool:
        return self.json_schema is not None or self.json_object


def depths(value: JsonValue) -> Iterator[int]:
    """The level of each part of a JSON value, without recursion: it may be nested very deep."""
    rest: list[tuple[JsonValue, int]] = [(value, 0)]
    while rest:
        part, level = rest.pop()
        yield level
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        rest.extend((item, level + 1) for item in inner)
