"""Fields of a search: what each name looks at, as a filter of the database."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, reduce
from math import isfinite
from typing import Any

from django.db.models import Q

from jobs.models import Run, RunTag, Status
from jobs.run_search.language import Condition, QueryError, unknown
from jobs.selectors import STATES
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.run.events.run_metrics import declared_metrics
from maxaillm.dev.finetune.tasks import TASKS

LOOKUPS = {"<": "__lt", "<=": "__lte", ">": "__gt", ">=": "__gte", "=": "", ":": "", "!=": ""}
ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
LARGEST = 1.7976931348623157e308
MOST_WHOLE = 2**63 - 1
RATE = "training.learning_rate"
SHORT_NAMES = {
    "lr": RATE,
    "epochs": "training.num_train_epochs",
    "batch_size": "training.per_device_train_batch_size",
    "rank": "tuning.r",
    "alpha": "tuning.lora_alpha",
}
"""What people say, beside the options' own names."""
WORDS: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "owner": ("owner__username",),
    "model": ("base_model__name",),
    "dataset": ("dataset__dataset__name",),
    "task": ("config__task",),
    "notes": ("notes",),
}
NUMBERS = {"id": "pk", "run": "pk", "step": "step", "steps": "total_steps"}


def filter_of(condition: Condition) -> Q:
    """Raises QueryError where the field or the value is none."""
    if not condition.value and condition.field:
        raise QueryError(
            f"“{condition.field}” at position {condition.place} is compared with nothing.",
            "Write a value behind it.",
        )
    found = special(condition) or optioned(condition) or measured(condition)
    if found is None:
        raise unknown("setting", condition.field, condition.place, known_names())
    if condition.is_negated == (condition.operator == "!="):
        return found
    return ~Q(pk__in=Run.objects.filter(found).values("pk"))  # also what lacks the option


def known_names() -> list[str]:
    """All that can stand before an operator."""
    return [*SPECIAL, *NUMBERS, *SHORT_NAMES, *metric_names(), *short_options(), *option_paths()]


def special(condition: Condition) -> Q | None:
    name = condition.field.lower()
    if name in NUMBERS:
        return whole_number(NUMBERS[name], condition)
    if name not in SPECIAL:
        return None
    if condition.operator in ORDER:
        raise QueryError(
            f"“{condition.operator}” behind {condition.field} at position {condition.place} "
            "compares numbers; this is text.",
            f"Write {name}:{condition.value[:40]}.",
        )
    return SPECIAL[name](condition)


def holding(name: str) -> Callable[[Condition], Q]:
    """A text that holds the value; with `=` it is the value."""

    def found(condition: Condition) -> Q:
        lookup = "iexact" if condition.operator in {"=", "!="} else "icontains"
        return any_of(Q(**{f"{path}__{lookup}": condition.value}) for path in WORDS[name])

    return found


def status(condition: Condition) -> Q:
    rules = {name: rule for name, (_, rule) in STATES.items()}
    labels = {str(status.label).lower(): Q(status=status) for status in Status}
    values = {status.value: Q(status=status) for status in Status}
    known = values | labels | rules
    rule = known.get(condition.value.lower())
    if rule is None:
        raise unknown("state of a run", condition.value, condition.value_place, known)
    return rule


def method(condition: Condition) -> Q:
    known = {methods[name].label.lower(): name for name in methods} | {n: n for n in methods}
    name = known.get(condition.value.lower())
    if name is None:
        raise unknown("tuning method", condition.value, condition.value_place, list(methods))
    return Q(config__tuning__name=name)


def tag(condition: Condition) -> Q:
    tagged = RunTag.objects.filter(name=condition.value.strip().lower())
    return Q(pk__in=tagged.values("run"))


SPECIAL: dict[str, Callable[[Condition], Q]] = {
    "": holding("name"),
    **{name: holding(name) for name in WORDS},
    "status": status,
    "state": status,
    "method": method,
    "tag": tag,
}


def measured(condition: Condition) -> Q | None:
    """The newest value of a metric."""
    if condition.field not in metric_names():
        return None
    return json_number(f"metrics__{condition.field}", condition.operator, number_of(condition))


def optioned(condition: Condition) -> Q | None:
    """An option of the configuration, by its short name, its path, or what people call it."""
    name = SHORT_NAMES.get(condition.field, condition.field)
    paths = short_options().get(name) or ([name] if name in option_paths() else [])
    if not paths:
        return None
    found = any_of(option(path, condition) for path in paths)
    is_rate = RATE in paths and as_number(condition.value) is not None
    return found | recommended(condition) if is_rate else found


def option(path: str, condition: Condition) -> Q:
    column = f"config__{path.replace('.', '__')}"
    if condition.operator in ORDER:
        return json_number(column, condition.operator, number_of(condition))
    text, number = condition.value.lower(), as_number(condition.value)
    if number is not None:
        return json_number(column, "=", number) | Q(**{f"{column}__iexact": condition.value})
    if text in SWITCHES:
        return Q(**{column: SWITCHES[text]})
    return Q(**{f"{column}__iexact": condition.value})


SWITCHES = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


def recommended(condition: Condition) -> Q:
    """Runs that left the learning rate to their method, where its own fits."""
    wanted, compared = number_of(condition), ORDER.get(condition.operator, operator.eq)
    left = Q(**{f"config__{RATE.replace('.', '__')}": None})
    factors = {None: 1.0} | {task: about.learning_rate_factor for task, about in TASKS.items()}
    fitting = (
        Q(config__task=task, config__tuning__name__in=names)
        for task, factor in factors.items()
        if (
            names := [
                name
                for name, method in methods.items()
                if compared(method.recommended_learning_rate * factor, wanted)
            ]
        )
    )
    return left & any_of(fitting)


def json_number(column: str, compared: str, value: float) -> Q:
    """A number in JSON; text, null and lists, which databases order too, are left out."""
    is_number = Q(**{f"{column}__gte": -LARGEST, f"{column}__lte": LARGEST})
    return is_number & Q(**{f"{column}{LOOKUPS[compared]}": value})


def whole_number(column: str, condition: Condition) -> Q:
    value = number_of(condition)
    if not value.is_integer() or abs(value) > MOST_WHOLE / 2:
        raise not_a_number(condition, "a whole number")
    return Q(**{f"{column}{LOOKUPS[condition.operator]}": int(value)})


def number_of(condition: Condition) -> float:
    number = as_number(condition.value)
    if number is None:
        raise not_a_number(condition, "a number")
    return number


def not_a_number(condition: Condition, kind: str) -> QueryError:
    return QueryError(
        f"“{condition.value[:40]}” at position {condition.value_place} is not {kind}.",
        f"{condition.field} is compared with one, such as {condition.field}>1.",
    )


def as_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def any_of(found: Iterable[Q]) -> Q:
    """Nothing where there is none of it."""
    return reduce(operator.or_, found, Q(pk__in=()))


@cache
def metric_names() -> frozenset[str]:
    return frozenset({metric.name for metric in declared_metrics()} | set(metrics))


@cache
def short_options() -> dict[str, list[str]]:
    """The last part of each path -> the paths that end in it."""
    found: dict[str, list[str]] = {}
    for path in option_paths():
        found.setdefault(path.rpartition(".")[2], []).append(path)
    return found


@cache
def option_paths() -> dict[str, None]:
    """Every option of every section and component, in the order of the form."""
    schema = RunConfig.model_json_schema()
    return dict.fromkeys(path for path in walked(schema, schema["$defs"]) if "." in path)


def walked(schema: Mapping[str, Any], defs: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """The paths of what holds a value and no further options."""
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    inside = list(references(schema))
    for inner in inside:
        yield from walked(inner, defs, at)
    for name, inner in schema.get("properties", {}).items():
        yield from walked(inner, defs, f"{at}.{name}".lstrip("."))
    if not inside and "properties" not in schema:
        yield at


def references(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The components that an option chooses between."""
    for kind in ("anyOf", "oneOf", "allOf"):
        for inner in schema.get(kind, ()):
            if "$ref" in inner:
                yield inner
            else:
                yield from references(inner)
