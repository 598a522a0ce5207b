"""Django forms made from pydantic models, so that an option is declared once.

`form_class(RunConfig)` has a field for each plain option and a part for each section or
component; inputs are named by path: `training-learning_rate`, `tuning-name`, `tuning-r`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, ClassVar, NamedTuple, Protocol, Union, get_args, get_origin

from django import forms
from django.forms.boundfield import BoundField
from django.utils.text import capfirst
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from maxaillm.dev.finetune.components.problems import problems_of
from maxaillm.dev.finetune.errors import Problem
from maxft_site.web.schema_forms.fields import SchemaField, field_of, quoted
from maxft_site.web.schema_forms.info import accepts_none, bare_type, extra_of, is_hidden

Data = Mapping[str, Any]


class Part(Protocol):
    """A section or a component inside a form."""

    advanced: bool

    def is_valid(self) -> bool: ...
    def typed(self) -> dict[str, Any] | None: ...
    def place(self, path: list[str], problem: Problem, *, quote: bool) -> None: ...
    def everything(self) -> list[BoundField]: ...
    def choices(self) -> list[ComponentChoice]: ...


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
        made = part_of(name, info, data=data, prefix=self.add_prefix(name), initial=initial)
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
            if typed != {} or self.part_infos[name].is_required()
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

    def choices(self) -> list[ComponentChoice]:
        """The choices of components, of its parts, too."""
        return [choice for part in self.parts.values() for choice in part.choices()]

    def own_choices(self, *, advanced: bool) -> list[ComponentChoice]:
        parts = (part for part in self.parts.values() if part.advanced is advanced)
        return [part for part in parts if isinstance(part, ComponentChoice)]

    @property
    def plain_choices(self) -> list[ComponentChoice]:
        return self.own_choices(advanced=False)

    @property
    def advanced_choices(self) -> list[ComponentChoice]:
        return self.own_choices(advanced=True)

    @property
    def plain_sections(self) -> list[SchemaForm]:
        """Models within the model; those of a run have panels of their own."""
        parts = (part for part in self.parts.values() if not part.advanced)
        return [part for part in parts if isinstance(part, SchemaForm)]

    @property
    def plain_fields(self) -> list[BoundField]:
        return [self[name] for name in self.fields if not self.option(name).advanced]

    @property
    def advanced_fields(self) -> list[BoundField]:
        own = [self[name] for name in self.fields if self.option(name).advanced]
        parts = (part for part in self.parts.values() if part.advanced)
        sections = (part for part in parts if not isinstance(part, ComponentChoice))
        return [*own, *(field for part in sections for field in part.everything())]

    @property
    def advanced_count(self) -> int:
        return len(self.advanced_fields) + len(self.advanced_choices)

    @property
    def changed_count(self) -> int:
        """How many advanced options differ from their default."""
        choices = (choice.differs for choice in self.advanced_choices)
        return sum(differs(field) for field in self.advanced_fields) + sum(choices)

    @property
    def advanced_errors(self) -> bool:
        choices = self.advanced_choices
        inside = (field for choice in choices for field in choice.everything())
        fields = (*self.advanced_fields, *inside)
        return any(choice.errors for choice in choices) or any(field.errors for field in fields)


class Option(NamedTuple):
    """A component on offer, as `components/choice.html` shows it."""

    value: str
    label: str
    text: str
    fact: str = ""
    disabled: bool = False


class ComponentChoice:
    """A part that is one of several components, or none: which one, and the chosen one's form."""

    advanced = False

    def __init__(
        self, name: str, info: FieldInfo, *, data: Data | None, prefix: str, initial: Data
    ) -> None:
        classes = schemas_in(info)
        self.classes = {str(cls.model_fields["name"].default): cls for cls in classes}
        self.label = info.title or capfirst(name.replace("_", " "))
        self.help = info.description or ""
        self.optional = accepts_none(info.annotation)
        self.empty = str(extra_of(info).get("empty", "None"))
        self.prefix, self.input_name = prefix, f"{prefix}-name"
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        self.default = str(default.name) if default is not None else self.first
        sent = (data or {}).get(self.input_name)
        named = sent or (sent if self.optional else None)
        self.chosen = str(initial.get("name") or self.default) if named is None else str(named)
        self.errors: list[str] = []
        self.form: SchemaForm | None = None
        if self.chosen:
            cls = self.classes.get(self.chosen) or classes[0]
            values = initial if initial.get("name") == self.chosen else {}
            self.form = form_class(cls)(data, prefix=prefix, initial=values, is_part=True)

    @property
    def first(self) -> str:
        return "" if self.optional else next(iter(self.classes))

    @property
    def options(self) -> list[Option]:
        none = [Option("", self.empty, "")] if self.optional else []
        return none + [
            Option(name, str(getattr(cls, "label", name)), first_line(cls))
            for name, cls in self.classes.items()
        ]

    @property
    def text(self) -> str:
        """What the chosen component is."""
        return first_line(self.classes[self.chosen]) if self.chosen in self.classes else ""

    @property
    def differs(self) -> bool:
        """Whether another component than the default is chosen, or an option of it changed."""
        return self.chosen != self.default or any(map(differs, self.everything()))

    def is_valid(self) -> bool:
        return not self.errors and (self.form is None or self.form.is_valid())

    def typed(self) -> dict[str, Any] | None:
        return {"name": self.chosen, **self.form.typed()} if self.form else None

    def place(self, path: list[str], problem: Problem, *, quote: bool) -> None:
        if path == ["name"]:
            known = ", ".join(self.classes)
            self.errors.append(f"{quoted(self.chosen)} is none of the choices: {known}.")
        elif self.form:
            self.form.place(path, problem, quote=quote)
        else:
            self.errors.append(problem.message)

    def everything(self) -> list[BoundField]:
        return self.form.everything() if self.form else []

    def choices(self) -> list[ComponentChoice]:
        return [self, *(self.form.choices() if self.form else [])]


def form_class(schema: type[BaseModel], prefix: str | None = None) -> type[SchemaForm]:
    """The form of `schema`, its inputs named below `prefix`."""
    shown = {name: info for name, info in schema.model_fields.items() if not is_hidden(info)}
    parts = {name: info for name, info in shown.items() if schemas_in(info)}
    fields = {name: field_of(name, info) for name, info in shown.items() if name not in parts}
    attributes = {"schema": schema, "part_infos": parts, "prefix": prefix, **fields}
    return type(f"{schema.__name__}Form", (SchemaForm,), attributes)


def part_of(
    name: str, info: FieldInfo, *, data: Data | None, prefix: str, initial: Data
) -> SchemaForm | ComponentChoice:
    """The part of a form for a field that is a section or a component."""
    schemas = schemas_in(info)
    if len(schemas) == 1 and not accepts_none(info.annotation):
        return form_class(schemas[0])(data, prefix=prefix, initial=initial, is_part=True)
    return ComponentChoice(name, info, data=data, prefix=prefix, initial=initial)


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
