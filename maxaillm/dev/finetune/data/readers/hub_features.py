"""Features that Hugging Face's datasets writes into Parquet and Arrow files: names of classes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Named = Callable[[Any], Any]
"""A value with names of classes in the place of their numbers."""


def namings(schema: pa.Schema) -> dict[str, Named]:
    """For each column with classes, what gives their names."""
    try:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = told["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    if not isinstance(features, dict):
        return {}
    found = {name: naming_of(feature) for name, feature in features.items()}
    return {name: naming for name, naming in found.items() if naming is not None}


def naming_of(feature: Any) -> Named | None:
    """What names the classes in a value of this feature; None where it has none."""
    if isinstance(feature, list) and feature:
        return of_items(naming_of(feature[0]))
    if not isinstance(feature, dict):
        return None
    names = feature.get("names")
    if feature.get("_type") == "ClassLabel" and isinstance(names, list):
        return lambda value: name_of(value, names)
    if "feature" in feature:
        return of_items(naming_of(feature["feature"]))
    inner = {name: naming for name, each in feature.items() if (naming := naming_of(each))}
    return (lambda value: in_object(value, inner)) if inner else None


def of_items(naming: Named | None) -> Named | None:
    """A sequence of objects may lie in the file as one object of lists."""
    if naming is None:
        return None

    def named(value: Any) -> Any:
        if isinstance(value, list):
            return [naming(item) for item in value]
        return naming(value) if isinstance(value, dict) else value

    return named


def name_of(value: Any, names: Sequence[Any]) -> Any:
    """-1 stands for no class: test sets without answers have it. Raises ValueError for a number
    that is no class, which would be learned as one of its own."""
    if isinstance(value, list):
        return [name_of(item, names) for item in value]
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if value == -1:
        return None
    if not 0 <= value < len(names):
        raise ValueError(f"class {value} has no name, the last of {len(names)} is {len(names) - 1}")
    return str(names[value])


def in_object(value: Any, inner: Mapping[str, Named]) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: inner[key](item) if key in inner else item for key, item in value.items()}
