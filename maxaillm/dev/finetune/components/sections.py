"""Sections of a run's configuration: what they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Union

from pydantic import BaseModel, ConfigDict, Field

from maxaillm.dev.finetune.components.registry import Component, Registry

ADVANCED: dict[str, Any] = {"advanced": True}
HIDDEN: dict[str, Any] = {"hidden": True}


def local(instead: str) -> dict[str, Any]:
    """For an option that may name a file of this machine: it is the command line's alone. A
    browser or a client of the API gives `instead`."""
    return HIDDEN | {"local": instead}


def applies_to(*, tasks: Iterable[str] = (), method: str = "", data: str = "") -> dict[str, Any]:
    """Extras of an option that not every run has a use for: they are part of the JSON schema.

    `tasks` that it serves, all where none is named; `method`: the attribute that a tuning method
    must have, such as `packs`; `data`: the same of a kind of examples. `config/applicability.py`
    judges by it, for forms, the API and the command alike.
    """
    rule = {"tasks": sorted(tasks), "method": method, "data": data}
    return {"applies_to": {name: value for name, value in rule.items() if value}}


def one_of(registry: Registry[Any]) -> Any:
    """The type of a field that holds any of the registry's components, told apart by name."""
    classes: tuple[type[Component], ...] = tuple(registry.values())
    if len(classes) == 1:
        return classes[0]
    return Annotated[Union[classes], Field(discriminator="name")]  # noqa: UP007


class Section(BaseModel):
    """Options that belong together; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
