"""A configuration as rows to read: what differs from the default first."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel

from maxaillm.dev.finetune.components.registry import Component
from maxaillm.dev.finetune.config import RunConfig

IN_THE_HEADER = frozenset({"model.name", "data.dataset", "data.version"})
"""Shown with their names at the top of the page."""


class Row(NamedTuple):
    """One option. `default` is empty where it has none."""

    path: str
    title: str
    value: str
    default: str
    differs: bool


def config_rows(config: RunConfig) -> list[Row]:
    """All options of a run but its name and the hidden ones; changed ones come first."""
    rows = [row for section in sections(config) for row in rows_of(*section)]
    return sorted(rows, key=lambda row: not row.differs)


def sections(config: RunConfig) -> list[tuple[str, BaseModel]]:
    return [
        (name, section)
        for name in type(config).model_fields
        if isinstance(section := getattr(config, name), BaseModel)
    ]


def rows_of(path: str, model: BaseModel) -> list[Row]:
    rows = []
    for name, info in type(model).model_fields.items():
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        if extra.get("hidden") or not info.title or f"{path}.{name}" in IN_THE_HEADER:
            continue
        value = getattr(model, name)
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        rows.append(
            Row(
                path=f"{path}.{name}",
                title=info.title,
                value=words(value, extra.get("unit")),
                default="" if default in (None, [], "") else words(default, extra.get("unit")),
                differs=info.is_required() or value != default,
            )
        )
    return rows


def words(value: Any, unit: object = None) -> str:
    if value is None or value in ("", [], ()):
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Component):
        return value.label
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    plain = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{plain} {unit}" if unit else plain
