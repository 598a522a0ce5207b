"""What bodies of requests have in common: what is not honoured is refused by its name."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jobs.api.openai.errors import refused
from maxaillm.dev.finetune.components.problems import problems_of
from maxaillm.dev.finetune.errors import ConfigError
from maxaillm.model.sampling import SamplingOptions

MOST_ANSWERS = 32
"""Of one request: each choice of each prompt is an answer by itself."""
DEFAULTS = SamplingOptions(temperature=1, top_p=1)
"""OpenAI's, where a request names none."""
OUR_NAMES = {"json_schema": "response_format", "max_new_tokens": "max_tokens"}
"""What the sampler calls it -> what a request does."""
SEED_STEP = 0x9E3779B9
"""Spreads the seeds of several choices: 2^32 by the golden ratio."""


class Body(BaseModel):
    """A part of a request. An option that is not honoured is refused by its name, unless it asks
    for nothing: clients send back what they got, with empty fields of other servers in it."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def drop_empty_options(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        known = cls.model_fields
        return {name: value for name, value in given.items() if name in known or asks(value)}


def asks(value: object) -> bool:
    """Whether an option with this value asks for something; 0 may."""
    return value is not None and value is not False and value not in ("", [], {})


def as_text(value: Any) -> Any:
    """JSON without lone surrogates: valid in its escapes, but no text."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [as_text(item) for item in value]
    if isinstance(value, dict):
        return {as_text(key): as_text(item) for key, item in value.items()}
    return value


class StreamOptions(Body):
    include_usage: bool = False


class AnswerBody(Body):
    """What chats and completions both understand."""

    model: str = Field(max_length=500, description="The name of a deployment or a model.")
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=0, le=2**32 - 1)
    stop: str | list[str] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_ANSWERS)] | None = Field(
        None, description="Choices, each with a seed of its own that follows from `seed`."
    )
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = Field(
        None, description="Token id -> what is added to its score, -100 to 100."
    )
    top_k: int | None = Field(None, ge=1, le=1000)
    repetition_penalty: float | None = Field(None, ge=1, le=2)
    user: str | None = Field(None, description="Noted nowhere; it does not change the answer.")

    @property
    def choices(self) -> int:
        return self.n or 1

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    def sampling(self, **more: Any) -> list[SamplingOptions]:
        """The options of each choice. Raises ConfigError, as for five stop words."""
        shared = (
            "temperature", "top_p", "seed", "top_k", "repetition_penalty", "frequency_penalty",
            "presence_penalty", "logit_bias",
        )  # fmt: skip
        given = {name: getattr(self, name) for name in shared} | more
        given["stop"] = [self.stop] if isinstance(self.stop, str) else self.stop
        known = {name: value for name, value in given.items() if value is not None}
        try:
            options = SamplingOptions.model_validate(DEFAULTS.model_dump() | known)
        except ValidationError as error:
            problems = problems_of(SamplingOptions, error)
            raise ConfigError([p._replace(path=renamed(p.path)) for p in problems]) from None
        return [
            options.model_copy(update={"seed": seed_of(options.seed, number)})
            for number in range(self.choices)
        ]


def seed_of(seed: int | None, number: int) -> int | None:
    """The seed of choice `number`; the first choice is the answer to a request for one."""
    return None if seed is None else (seed + number * SEED_STEP) % 2**32


def renamed(path: str) -> str:
    first, dot, rest = path.partition(".")
    return f"{OUR_NAMES.get(first, first)}{dot}{rest}"


def require_few(prompts: int, choices: int) -> None:
    """Raises ConfigError where one request asks for too many answers."""
    if prompts * choices > MOST_ANSWERS:
        message = f"{prompts} prompts with {choices} choices each: at most {MOST_ANSWERS} answers."
        raise refused("prompt", message)
