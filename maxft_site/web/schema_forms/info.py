"""What a pydantic field says of itself: its type, its limits, its extras."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo


def extra_of(info: FieldInfo) -> Mapping[str, Any]:
    extra = info.json_schema_extra
    return extra if isinstance(extra, Mapping) else {}


def is_hidden(info: FieldInfo) -> bool:
    """Whether no form shows the field: marked so, or only one value is possible."""
    kind = bare_type(info.annotation)
    is_choice = get_origin(kind) is Literal and len(get_args(kind)) == 1
    is_constant = is_choice and not accepts_none(info.annotation)
    return bool(extra_of(info).get("hidden")) or is_constant or kind is NoneType


def bare_type(annotation: Any) -> Any:
    """`annotation` less its `| None` and `Annotated`."""
    if get_origin(annotation) is Annotated:
        return bare_type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kinds = [arg for arg in get_args(annotation) if arg is not NoneType]
        if len(kinds) == 1:
            return bare_type(kinds[0])
    return annotation


def accepts_none(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation)


def bounds_of(info: FieldInfo) -> dict[str, float]:
    """{"ge": 1, "le": 512, "max_length": 80}, whichever the schema states."""
    names = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt", MaxLen: "max_length"}
    return {
        names[type(rule)]: getattr(rule, names[type(rule)])
        for rule in info.metadata
        if type(rule) in names
    }


def range_words(bounds: Mapping[str, float]) -> str:
    """16 to 131,072; above 0, at most 1; at least 1."""
    if "ge" in bounds and "le" in bounds:
        return f"{bounds['ge']:,} to {bounds['le']:,}"
    signs = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
    return ", ".join(f"{word} {bounds[rule]:,}" for rule, word in signs if rule in bounds)


def is_within(number: float, bounds: Mapping[str, float]) -> bool:
    return (
        number >= bounds.get("ge", number)
        and number <= bounds.get("le", number)
        and ("gt" not in bounds or number > bounds["gt"])
        and ("lt" not in bounds or number < bounds["lt"])
    )


def number_in(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None


def schemas_in(info: FieldInfo) -> list[type[BaseModel]]:
    """The models that a field can hold; none for a plain option."""
    kind = bare_type(info.annotation)
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return [cls for cls in kinds if isinstance(cls, type) and issubclass(cls, BaseModel)]


def lines_of(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


def pairs_of(text: str) -> list[tuple[str, str]]:
    """What stands before and behind the last colon of each line."""
    parts = (line.rpartition(":") for line in lines_of(text) if line.strip())
    return [
        (name.strip(), value.strip()) if colon else (value.strip(), "")
        for name, colon, value in parts
    ]
