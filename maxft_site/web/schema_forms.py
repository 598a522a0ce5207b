"""Django forms made from pydantic models, so that an option is declared once.

`form_class(RunConfig)` has a field for each plain option and a part for each section or
component; inputs are named by path: `training-learning_rate`, `tuning-name`, `tuning-r`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Any, ClassVar, NamedTuple, Protocol, Union, get_args, get_origin

from django import forms
from django.forms.boundfield import BoundField
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from maxaillm.dev.finetune.errors import Problem
from maxaillm.dev.finetune.problems import problems_of
from maxft_site.web.schema_fields import SchemaField, field_of, quoted
from maxft_site.web.schema_info import bare_type, extra_of, is_hidden

Data = Mapping[str, Any]


class Part(Protocol):
    """A section or a component inside a form."""

    advanced: bool

    def is_valid(self) -> bool: ...
    def typed(self) -> dict[str, Any]: ...
    def place(self, path: list[str], problem: Problem, *, quote: bool) -> None: ...
    def everything(self) -> list[BoundField]: ...


class SchemaForm(forms.Form):
    """A form over one pydantic model; `value` is the validated instance."""

    schema: ClassVar[type[BaseModel]]
    part_infos: ClassVar[dict[str, FieldInfo]]
    value: BaseModel
    advanced = False

    def __init__(
        self,
        data: Data | None = None,
        *,
        prefix: str | None = None,
        initial: Data | None = None,
        is_part: bool = False,
    ) -> None:
        super().__init__(data, prefix=prefix, initial=dict(initial or {}))
        self.is_part = is_part
        self.parts: dict[str, Part] = {
            name: self.part(name, info) for name, info in self.part_infos.items()
        }

    def part(self, name: str, info: FieldInfo) -> Part:
        initial = self.initial.get(name) or {}
        data = self.data if self.is_bound else None
        made = part_of(info, data=data, prefix=self.add_prefix(name), initial=initial)
        made.advanced = bool(extra_of(info).get("advanced"))
        return made

    def is_valid(self) -> bool:
        return super().is_valid() and all(part.is_valid() for part in self.parts.values())

    def clean(self) -> dict[str, Any]:
        if not self.is_part:
            self.check()
        return self.cleaned_data

    def check(self) -> None:
        """Let the schema judge all that was typed; each mistake goes to its field."""
        try:
            self.value = self.schema.model_validate(self.typed())
        except ValidationError as error:
            for problem in problems_of(self.schema, error):
                self.place(problem.path.split("."), problem, quote=True)

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Lay mistakes that were found later, such as a ConfigError's, at their fields."""
        for problem in problems:
            self.place(problem.path.split("."), problem, quote=False)

    def place(self, path: list[str], problem: Problem, *, quote: bool) -> None:
        first, rest = (path[0], path[1:]) if path else ("", [])
        if first in self.parts:
            self.parts[first].place(rest, problem, quote=quote)
        elif first in self.fields:
            self.add_error(first, self.sentence(first, rest, problem) if quote else problem.message)
        else:
            self.add_error(None, f"{first}: {problem.message}" if first else problem.message)

    def sentence(self, name: str, rest: list[str], problem: Problem) -> str:
        option = self.option(name)
        if rest:
            return option.part_sentence(".".join(rest), problem.value, problem.message)
        return option.sentence(self[name].data, problem.message)

    def typed(self) -> dict[str, Any]:
        """What was typed, tidied; what the browser didn't send is left to the defaults."""
        assert self.errors is not None
        given = {name: value for name, value in self.cleaned_data.items() if self.was_sent(name)}
        nested = {name: part.typed() for name, part in self.parts.items()}
        return given | {
            name: typed
            for name, typed in nested.items()
            if typed or self.part_infos[name].is_required()
        }

    def was_sent(self, name: str) -> bool:
        """An unticked box is sent as nothing, so that it counts only in a form that was sent."""
        is_sent = any(self.add_prefix(other) in self.data for other in self.fields)
        widget = self.fields[name].widget
        return is_sent and not widget.value_omitted_from_data(
            self.data, self.files, self.add_prefix(name)
        )

    def option(self, name: str) -> SchemaField:
        field = self.fields[name]
        assert isinstance(field, SchemaField)
        return field

    def everything(self) -> list[BoundField]:
        """Its fields and those of its parts."""
        return [*self, *(field for part in self.parts.values() for field in part.everything())]

    @property
    def plain_fields(self) -> list[BoundField]:
        return [self[name] for name in self.fields if not self.option(name).advanced]

    @property
    def advanced_fields(self) -> list[BoundField]:
        own = [self[name] for name in self.fields if self.option(name).advanced]
        parts = (part for part in self.parts.values() if part.advanced)
        return [*own, *(field for part in parts for field in part.everything())]

    @property
    def changed_count(self) -> int:
        """How many advanced options differ from their default."""
        return sum(differs(field) for field in self.advanced_fields)

    @property
    def advanced_errors(self) -> bool:
        return any(field.errors for field in self.advanced_fields)


class Option(NamedTuple):
    """A component on offer, as `components/choice.html` shows it."""

    value: str
    label: str
    text: str
    fact: str = ""
    disabled: bool = False


class ComponentChoice:
    """A part that is one of several components: which one, and the chosen one's form."""

    advanced = False

    def __init__(
        self, classes: list[type[BaseModel]], *, data: Data | None, prefix: str, chosen: Data
    ) -> None:
        self.classes = {str(cls.model_fields["name"].default): cls for cls in classes}
        self.input_name = f"{prefix}-name"
        sent = (data or {}).get(self.input_name)
        self.chosen = str(sent or chosen.get("name") or next(iter(self.classes)))
        cls = self.classes.get(self.chosen) or classes[0]
        initial = chosen if chosen.get("name") == self.chosen else {}
        self.form = form_class(cls)(data, prefix=prefix, initial=initial, is_part=True)
        self.errors: list[str] = []

    @property
    def options(self) -> list[Option]:
        return [
            Option(name, str(getattr(cls, "label", name)), first_line(cls))
            for name, cls in self.classes.items()
        ]

    def is_valid(self) -> bool:
        return not self.errors and self.form.is_valid()

    def typed(self) -> dict[str, Any]:
        return {"name": self.chosen, **self.form.typed()}

    def place(self, path: list[str], problem: Problem, *, quote: bool) -> None:
        if path == ["name"]:
            known = ", ".join(self.classes)
            self.errors.append(f"{quoted(self.chosen)} is none of the choices: {known}.")
        else:
            self.form.place(path, problem, quote=quote)

    def everything(self) -> list[BoundField]:
        return self.form.everything()

    def __iter__(self) -> Iterator[Option]:
        return iter(self.options)


def form_class(schema: type[BaseModel], prefix: str | None = None) -> type[SchemaForm]:
    """The form of `schema`, its inputs named below `prefix`."""
    shown = {name: info for name, info in schema.model_fields.items() if not is_hidden(info)}
    parts = {name: info for name, info in shown.items() if schemas_in(info)}
    fields = {name: field_of(name, info) for name, info in shown.items() if name not in parts}
    attributes = {"schema": schema, "part_infos": parts, "prefix": prefix, **fields}
    return type(f"{schema.__name__}Form", (SchemaForm,), attributes)


def part_of(info: FieldInfo, *, data: Data | None, prefix: str, initial: Data) -> Part:
    """The part of a form for a field that is a section or a component."""
    schemas = schemas_in(info)
    if len(schemas) == 1:
        return form_class(schemas[0])(data, prefix=prefix, initial=initial, is_part=True)
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    chosen = initial or ({"name": default.name} if default is not None else {})
    return ComponentChoice(schemas, data=data, prefix=prefix, chosen=chosen)


def schemas_in(info: FieldInfo) -> list[type[BaseModel]]:
    """The models that a field can hold; none for a plain option."""
    kind = bare_type(info.annotation)
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return [cls for cls in kinds if isinstance(cls, type) and issubclass(cls, BaseModel)]


def differs(field: BoundField) -> bool:
    option = field.field
    return isinstance(option, SchemaField) and option.differs(field.value())


def first_line(cls: type[BaseModel]) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]
