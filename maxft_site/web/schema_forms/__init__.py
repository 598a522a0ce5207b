"""Django forms made from pydantic models, so that an option is declared once.

`form_class(RunConfig)` has a field for each plain option and a part for each section or
component; inputs are named by path: `training-learning_rate`, `tuning-name`, `tuning-r`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

from django import forms
from django.forms.boundfield import BoundField
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from maxaillm.dev.finetune.components.problems import problems_of
from maxaillm.dev.finetune.errors import Problem
from maxft_site.web.schema_forms.component_choice import ComponentChoice, Data, Option, Unused
from maxft_site.web.schema_forms.fields import SchemaField, differs, field_of
from maxft_site.web.schema_forms.info import accepts_none, extra_of, is_hidden, schemas_in

__all__ = ["ComponentChoice", "Option", "SchemaForm", "form_class"]


class Part(Protocol):
    """A section or a component inside a form."""

    advanced: bool

    def is_valid(self) -> bool: ...
    def typed(self) -> dict[str, Any] | None: ...
    def place(self, path: list[str], problem: Problem, *, quote: bool) -> None: ...
    def leave_out(self, unused: Unused, *, even_if_set: bool) -> list[str]: ...
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
        self.cleaned_data = {}
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
        """A part that was not sent has its defaults."""
        is_own = super().is_valid() or (self.is_part and not self.is_bound and not self.errors)
        return is_own and all(part.is_valid() for part in self.parts.values())

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
        if not self.is_bound:
            return {}
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

    def leave_out(self, unused: Unused, *, even_if_set: bool) -> list[str]:
        """Take away the options without a use. Those that ask for something are named, and stay
        unless `even_if_set`."""
        named = []
        for name in [name for name in self.fields if unused(self.schema.model_fields[name])]:
            field = self[name]
            is_set = differs(field) and bool(self.option(name).to_python(field.value()))
            named += [str(field.label)] * is_set
            if even_if_set or not is_set:
                del self.fields[name]
        parts = (part.leave_out(unused, even_if_set=even_if_set) for part in self.parts.values())
        return [*named, *(label for labels in parts for label in labels)]

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
    return ComponentChoice(name, info, form_class, data=data, prefix=prefix, initial=initial)
