"""Validation errors of pydantic as problems of a configuration: path, value, what is allowed."""

from __future__ import annotations

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


def problems_of(schema: type[BaseModel], error: ValidationError) -> list[Problem]:
    """Every mistake in `error`, in the words of `schema`'s own fields."""
    return [problem_of(schema, dict(item)) for item in error.errors(include_url=False)]


def problem_of(schema: type[BaseModel], item: dict[str, Any]) -> Problem:
    models, path, info = walk(schema, item["loc"])
    value = json_value(item.get("input"))
    if item["type"] == "extra_forbidden":
        names = sorted(name for model in models for name in model.model_fields)
        nearest = get_close_matches(str(path[-1]), names, n=1)
        guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
        message = f"There is no option of this name.{guess}"
        return Problem(dotted(path), message, value, ", ".join(names))
    if item["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        known = str(item["ctx"].get("expected_tags", ""))
        tag = str(item["ctx"].get("tag", ""))
        return Problem(dotted((*path, "name")), "There is no choice of this name.", tag, known)
    message = item["msg"].removeprefix("Value error, ")
    return Problem(dotted(path), message, value, allowed(info) if info else "")


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
    args = [arg for arg in get_args(annotation) if arg is not NoneType]
    if len(args) == 1:
        inner = kind_words(args[0])
        return f"a list of {inner}" if get_origin(annotation) is list else f"{inner} or empty"
    return ""


def dotted(path: Loc) -> str:
    return ".".join(str(part) for part in path)


def json_value(value: object) -> JsonValue:
    """`value` as typed; shortened, and as text where JSON has no word for it."""
    if isinstance(value, str):
        return value[:200]
    if value is None or (isinstance(value, int | float) and isfinite(value)):
        return value
    return repr(value)[:200]
