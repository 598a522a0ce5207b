"""Validation errors of pydantic as problems of a configuration: path, value, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from math import isfinite
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, JsonValue, ValidationError
from pydantic.fields import FieldInfo

from maxaillm.dev.finetune.errors import Problem

Loc = tuple[int | str, ...]
SIGNS = {Ge: ("at least", "ge"), Gt: ("above", "gt"), Le: ("at most", "le"), Lt: ("below", "lt")}
LENGTHS = {MinLen: ("at least {} long", "min_length"), MaxLen: ("at most {} long", "max_length")}
WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
OBJECT = "an object"
SEVERAL = {"a whole number": "whole numbers", "a number": "numbers", OBJECT: "objects"}
QUOTED = re.compile(r"'([^']*)'")
"""Names in pydantic's own lists of them."""


def problems_of(schema: type[BaseModel], error: ValidationError) -> list[Problem]:
    """Every mistake in `error`, in the words of `schema`'s own fields."""
    return [problem_of(schema, dict(item)) for item in error.errors(include_url=False)]


def problem_of(schema: type[BaseModel], item: dict[str, Any]) -> Problem:
    models, path, info = walk(schema, item["loc"])
    kind, context = item["type"], item.get("ctx") or {}
    value = None if kind == "missing" else json_value(item.get("input"))
    if kind == "extra_forbidden":
        names = sorted(name for model in models for name in model.model_fields)
        message = f"There is no option of this name.{guess(path[-1], names)}"
        return Problem(dotted(path), message, value, ", ".join(names))
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        names = QUOTED.findall(str(context.get("expected_tags", "")))
        tag = str(context.get("tag", ""))
        message = f"There is no choice of this name.{guess(tag, names)}"
        return Problem(dotted((*path, "name")), message, tag, ", ".join(names))
    message = item["msg"].removeprefix("Value error, ")
    if kind == "literal_error" and isinstance(value, str):
        nearest = guess(value, QUOTED.findall(str(context.get("expected", ""))))
        message += f".{nearest}" if nearest else ""
    return Problem(dotted(path), message, value, allowed(info) if info else "")


def guess(name: object, known: Sequence[str]) -> str:
    """The known name that is nearest to one that is not, as a sentence; else nothing."""
    nearest = get_close_matches(str(name), known, n=1)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""


def walk(schema: type[BaseModel], loc: Loc) -> tuple[list[type[BaseModel]], Loc, FieldInfo | None]:
    """Follow `loc` through the schema; tags of unions, which no user typed, are left out."""
    models: list[type[BaseModel]] = [schema]
    path: list[int | str] = []
    info: FieldInfo | None = None
    for part in loc:
        tagged = [model for model in models if is_tag(model, part)]
        if tagged and not any(part in model.model_fields for model in models):
            models = tagged
            continue
        path.append(part)
        fields = (model.model_fields[part] for model in models if part in model.model_fields)
        info = next(fields, info if isinstance(part, int) else None)
        if info is not None and not isinstance(part, int):
            models = models_in(info.annotation) or models
    return models, tuple(path), info


def is_tag(model: type[BaseModel], part: int | str) -> bool:
    field = model.model_fields.get("name")
    return field is not None and field.default == part


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for arg in get_args(annotation) for model in models_in(arg)]


def allowed(info: FieldInfo) -> str:
    """What `info` takes, in words: "a whole number, at least 1, at most 512"."""
    words = [kind_words(info.annotation)]
    for rule in info.metadata:
        for rule_type, (word, attribute) in SIGNS.items():
            if isinstance(rule, rule_type):
                words.append(f"{word} {getattr(rule, attribute):,}")
        for rule_type, (word, attribute) in LENGTHS.items():
            if isinstance(rule, rule_type):
                words.append(word.format(f"{getattr(rule, attribute):,}"))
    return ", ".join(word for word in words if word)


def kind_words(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(str(value) for value in get_args(annotation))
    if get_origin(annotation) is Annotated:
        return kind_words(get_args(annotation)[0])
    if annotation in WORDS:
        return WORDS[annotation]
    if is_object(annotation):
        return OBJECT
    is_list = get_origin(annotation) is list
    args = [arg for arg in get_args(annotation) if arg is not NoneType]
    inner = kind_words(args[0]) if len(args) == 1 else ""
    if is_list:
        return f"a list of {SEVERAL.get(inner, inner)}" if inner else "a list"
    return f"{inner} or empty" if inner else ""


def is_object(annotation: Any) -> bool:
    return dict in {annotation, get_origin(annotation)} or models_in(annotation) == [annotation]


def dotted(path: Loc) -> str:
    return ".".join(str(part) for part in path)


def json_value(value: object) -> JsonValue:
    """`value` as typed; shortened, and as text where JSON has no word for it."""
    if isinstance(value, str):
        return value[:200]
    if value is None or (isinstance(value, int | float) and isfinite(value)):
        return value
    told = repr(value)[:200]
    return None if told.startswith("<") else told  # what Python says of an object, no value
