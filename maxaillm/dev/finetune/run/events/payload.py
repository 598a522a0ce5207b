"""Event payloads: the base class of every kind of event, and the registry of kinds."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.run.events.metric_info import MetricInfo
from maxaillm.dev.finetune.run.events.text import data_text

Section = Literal["curves", "results", "history"]
KINDS: dict[str, type[EventPayload]] = {}
"""Kind -> the class of its payload, in order of declaration."""


class EventError(FineTuneError):
    """An event whose data is not what its kind declares."""

    code = "event"

    @classmethod
    def of(cls, kind: str, error: ValidationError, declared: type[BaseModel]) -> Self:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return cls(
            f"An event {kind!r} can't be written: {wrong}.",
            f"Its fields are those of {declared.__module__}.{declared.__name__}.",
        )


class EventPayload(BaseModel):
    """Data of an event. A subclass with `@register` declares a kind, its fields and its flags.

    Fields that are not declared are kept. This class itself stands for kinds that are not
    known here, as a plug-in's or a newer engine's.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    kind: ClassVar[str] = ""
    belongs_to_step: ClassVar[bool] = False
    """Whether it comes again when a resumed run repeats a step, and then replaces the earlier."""
    ends_run: ClassVar[bool] = False
    """Whether it is the last of an attempt."""
    carries_numbers: ClassVar[bool] = False
    """Whether open pages get its data at once, to draw it."""
    section: ClassVar[Section] = "history"
    """The section of a run's page that it changes; `history` stands for the whole state."""

    @model_validator(mode="before")
    @classmethod
    def without_infinities(cls, data: Any) -> Any:
        """JSON has no NaN and no infinity: such a number is null and named in `not_finite`."""
        if not isinstance(data, Mapping):
            return data
        lost = [k for k, value in data.items() if isinstance(value, float) and not isfinite(value)]
        return {**data, **dict.fromkeys(lost), "not_finite": lost} if lost else data

    @classmethod
    def of(cls, data: Mapping[str, JsonValue]) -> Self:
        """The payload of an event to be written. Raises EventError."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise EventError.of(cls.kind, error, cls) from error

    @classmethod
    def metric_infos(cls) -> dict[str, MetricInfo]:
        """The fields that are metrics, in order of declaration."""
        return {
            name: mark
            for name, field in cls.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, MetricInfo)
        }

    @property
    def row_suffix(self) -> str:
        """Tells events of the same kind and step apart."""
        return ""

    def as_json(self) -> dict[str, JsonValue]:
        """What was given, as a journal holds it."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def measured(self) -> dict[str, JsonValue]:
        """Metrics by name, with null where one was no number, and what belongs to them."""
        return {}

    def text(self) -> str:
        """The event as one line, for terminals and logs."""
        return data_text(self.as_json())

    def progress_text(self) -> str:
        """The metrics that a terminal shows while the run goes on; empty for other events."""
        shown = (
            (name, info, getattr(self, name))
            for name, info in self.metric_infos().items()
            if info.in_progress_line and name in self.model_fields_set
        )
        return "  ".join(
            info.text(value) if info.unit else f"{name} {info.text(value)}"
            for name, info, value in shown
        )

    def numbers(self) -> dict[str, float]:
        """Metrics by name, of those that are numbers."""
        return {
            name: value
            for name, value in self.measured().items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }


class Measurement(EventPayload):
    """Metrics at a step. Fields that are not declared count as metrics too."""

    belongs_to_step: ClassVar[bool] = True
    carries_numbers: ClassVar[bool] = True
    section: ClassVar[Section] = "curves"
    is_sparse: ClassVar[bool] = False
    """Whether it is taken now and then: drawn with markers, and missing is no gap."""

    not_finite: list[str] = Field([], description="Fields that were NaN or infinite, and are null.")

    def measured(self) -> dict[str, JsonValue]:
        known, metrics = type(self).model_fields, self.metric_infos()
        return {
            name: value
            for name, value in self.as_json().items()
            if name in metrics or name not in known
        }


P = TypeVar("P", bound=EventPayload)


def register(cls: type[P]) -> type[P]:
    """Class decorator: make the kind of `cls` known."""
    if cls.kind in KINDS:
        raise ValueError(f"event kind {cls.kind!r} is registered twice")
    KINDS[cls.kind] = cls
    return cls


def payload_class(kind: str) -> type[EventPayload]:
    return KINDS.get(kind, EventPayload)


def kinds_of_steps() -> list[str]:
    """The kinds whose events belong to a step."""
    return [kind for kind, cls in KINDS.items() if cls.belongs_to_step]


def read_payload(kind: str, data: Mapping[str, JsonValue]) -> EventPayload:
    """The payload of an event that was read; untyped where it is not as its kind declares."""
    try:
        return payload_class(kind).model_validate(data)
    except ValidationError:
        return EventPayload.model_validate(data)
