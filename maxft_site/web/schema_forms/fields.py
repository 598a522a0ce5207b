"""Form fields made from the fields of a pydantic model.

They only tidy what was typed; pydantic judges it. So no limit stands in two places: what the
browser and the reader are told is read from the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, cast, get_args, get_origin

from django import forms
from django.core.validators import ProhibitNullCharactersValidator
from django.forms.boundfield import BoundField
from django.utils.text import Truncator, capfirst
from pydantic.fields import FieldInfo

from maxft_site.web.schema_forms.info import (
    accepts_none,
    bare_type,
    bounds_of,
    extra_of,
    is_within,
    lines_of,
    number_in,
    pairs_of,
    range_words,
)


class SchemaField(forms.Field):
    """One option: label, help, limits and default as its schema states them."""

    default_validators = [ProhibitNullCharactersValidator()]
    wanted: str = "a value"

    def __init__(self, name: str, info: FieldInfo, widget: forms.Widget) -> None:
        extra = extra_of(info)
        self.optional = accepts_none(info.annotation)
        self.default = None if info.is_required() else info.get_default(call_default_factory=True)
        self.advanced = bool(extra.get("advanced"))
        self.unit = str(extra.get("unit", ""))
        self.recommended = str(extra.get("recommended", ""))
        self.bounds = bounds_of(info)
        self.limits = range_words(self.bounds)
        super().__init__(
            required=False,
            label=info.title or capfirst(name.replace("_", " ")),
            help_text=info.description or "",
            initial=self.default,
            widget=widget,
        )

    def to_python(self, value: Any) -> Any:
        typed = "" if value is None else str(value).strip()
        return None if self.optional and not typed else typed

    def offer(self, choices: Sequence[tuple[Any, str]]) -> None:
        """Show a list to choose from instead of a box to type in."""
        self.widget = forms.Select(choices=choices, attrs=self.widget.attrs)

    def differs(self, value: Any) -> bool:
        """Whether `value`, typed or stored, is another than the default."""
        return bool(self.to_python(value) != self.to_python(self.default))

    def sentence(self, typed: Any, message: str) -> str:
        """`message` for a reader who typed `typed`."""
        if typed in (None, "", []):
            return f"Type {self.wanted}."
        return f"{quoted(typed)}: {message}"

    def part_sentence(self, part: str, typed: Any, message: str) -> str:
        """The same about one of several values: `part` is its number, from 0, or its name."""
        return f"Line {int(part) + 1}, {quoted(typed)}: {message}."


class NumberField(SchemaField):
    """A whole or a broken number."""

    def __init__(self, name: str, info: FieldInfo, *, whole: bool) -> None:
        self.wanted = "a whole number" if whole else "a number"
        super().__init__(name, info, forms.NumberInput({"step": "1" if whole else "any"}))
        self.widget.attrs |= {
            attribute: self.bounds[rule]
            for rule, attribute in (("ge", "min"), ("gt", "min"), ("le", "max"), ("lt", "max"))
            if rule in self.bounds
        }
        if not self.optional:
            self.widget.attrs["required"] = True

    def differs(self, value: Any) -> bool:
        return number_in(value) != number_in(self.default)

    def sentence(self, typed: Any, message: str) -> str:
        ask = f"Type {self.limits or self.wanted}."
        if typed in (None, ""):
            return ask
        number = number_in(typed)
        if number is None or (self.wanted == "a whole number" and number % 1):
            return f"{quoted(typed)} is no {self.wanted.removeprefix('a ')}. {ask}"
        if is_within(number, self.bounds):
            return message
        return f"{quoted(typed)} is out of range. {ask}"


class TextField(SchemaField):
    """A line of text."""

    wanted = "a text"

    def __init__(self, name: str, info: FieldInfo) -> None:
        is_long = extra_of(info).get("multiline")
        super().__init__(name, info, forms.Textarea({"rows": 12}) if is_long else forms.TextInput())
        if "max_length" in self.bounds:
            self.widget.attrs["maxlength"] = self.bounds["max_length"]
        if info.is_required():
            self.widget.attrs["required"] = True


class LinesField(SchemaField):
    """A list of texts, one a line."""

    wanted = "one a line"

    def __init__(self, name: str, info: FieldInfo) -> None:
        super().__init__(name, info, forms.Textarea({"rows": 3}))

    def to_python(self, value: Any) -> list[str] | None:
        lines = value if isinstance(value, list | tuple) else lines_of(str(value or ""))
        kept = [line.strip() for line in lines if line.strip()]
        return None if self.optional and not kept else kept

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def run_validators(self, value: Any) -> None:
        for line in value or ():
            super().run_validators(line)

    def sentence(self, typed: Any, message: str) -> str:
        return message


class PairsField(SchemaField):
    """Names with a value each, one pair a line: `spam: 2.0`."""

    wanted = "a name and its value"

    def __init__(self, name: str, info: FieldInfo) -> None:
        attrs = {"rows": 3, "placeholder": "label: 2.0"}
        super().__init__(name, info, forms.Textarea(attrs))

    def to_python(self, value: Any) -> dict[str, str] | None:
        pairs = value.items() if isinstance(value, dict) else pairs_of(str(value or ""))
        kept = {str(name): str(part) for name, part in pairs}
        return None if self.optional and not kept else kept

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return "\n".join(f"{name}: {part}" for name, part in value.items())
        return value

    def run_validators(self, value: Any) -> None:
        for name, part in (value or {}).items():
            super().run_validators(name + part)

    def part_sentence(self, part: str, typed: Any, message: str) -> str:
        return f"{quoted(f'{part}: {typed}')}: {message}."


class FlagField(SchemaField):
    """Yes or no."""

    def __init__(self, name: str, info: FieldInfo) -> None:
        super().__init__(name, info, forms.CheckboxInput())

    def to_python(self, value: Any) -> bool:
        return value in (True, "true", "True", "on", "1")


class ChoiceField(SchemaField):
    """One of a few values, each under the label that the schema's `labels` give it, if any."""

    def __init__(self, name: str, info: FieldInfo, values: Sequence[Any]) -> None:
        self.values = {str(value): value for value in values}
        labels = {"": "–"} | extra_of(info).get("labels", {})
        keys = ["", *self.values] if accepts_none(info.annotation) else list(self.values)
        choices = [(key, labels.get(key, key)) for key in keys]
        super().__init__(name, info, forms.Select(choices=choices))

    def to_python(self, value: Any) -> Any:
        typed = super().to_python(value)
        return self.values.get(typed, typed)

    def sentence(self, typed: Any, message: str) -> str:
        names = ", ".join(self.values)
        return f"{quoted(typed)} is none of the choices. Choose one of {names}."


class Described(NamedTuple):
    """One of several values, as `components/field.html` shows it."""

    id: str
    value: str
    label: str
    help: str
    is_chosen: bool


class GroupedField(BoundField):
    """A field with several values, as `components/field.html` shows it."""

    def groups(self) -> list[tuple[str, list[Described]]]:
        """The values by the group that they belong to."""
        own = cast(ChoicesField, self.field)
        chosen = {str(value) for value in self.value() or ()}
        found: dict[str, list[Described]] = {group: [] for group in own.group_of.values()}
        for number, (key, label) in enumerate(own.choices):
            ident = f"{self.auto_id}_{number}"
            option = Described(ident, key, label, own.helps.get(key, ""), key in chosen)
            found.setdefault(own.group_of.get(key, ""), []).append(option)
        return [(group, options) for group, options in found.items() if options]


class ChoicesField(SchemaField):
    """Some of a few values: what each is called, says and belongs to, tell the schema's `labels`,
    `helps` and `groups`."""

    bound_field_class = GroupedField

    def __init__(self, name: str, info: FieldInfo, values: Sequence[Any]) -> None:
        self.values = {str(value): value for value in values}
        extra = extra_of(info)
        self.labels, self.helps = extra.get("labels", {}), extra.get("helps", {})
        self.group_of = extra.get("groups", {})
        self.offered = list(self.values)
        super().__init__(name, info, forms.CheckboxSelectMultiple(choices=self.choices))

    @property
    def choices(self) -> list[tuple[str, str]]:
        names = {key: capfirst(key.replace("_", " ")) for key in self.offered}
        return [(key, self.labels.get(key, name)) for key, name in names.items()]

    def narrow(self, names: Collection[str], chosen: Collection[str]) -> None:
        """Offer only these values, and those that are chosen."""
        self.offered = [key for key in self.values if key in names or key in chosen]
        self.widget = forms.CheckboxSelectMultiple(choices=self.choices, attrs=self.widget.attrs)

    def to_python(self, value: Any) -> list[Any]:
        kept = (key for key in value or () if key not in self.values or key in self.offered)
        return [self.values.get(str(key), key) for key in kept]

    def run_validators(self, value: Any) -> None:
        for item in value:
            super().run_validators(item)

    def sentence(self, typed: Any, message: str) -> str:
        return f"{message}. Choose some of {', '.join(self.values)}."


def field_of(name: str, info: FieldInfo) -> SchemaField:
    """The form field of a schema's field; raises TypeError for a type that no form can show."""
    kind = bare_type(info.annotation)
    if get_origin(kind) is Literal:
        return ChoiceField(name, info, get_args(kind))
    if kind in (int, float):
        return NumberField(name, info, whole=kind is int)
    made = {bool: FlagField, str: TextField}.get(kind) or field_of_many(kind)
    if made is None:
        raise TypeError(f"No form field shows the type of {name!r}: {info.annotation}")
    return made(name, info)


def field_of_many(kind: Any) -> Callable[[str, FieldInfo], SchemaField] | None:
    """What shows a list or a dictionary of `kind`."""
    items = [bare_type(item) for item in get_args(kind)]
    if get_origin(kind) is list and get_origin(items[0]) is Literal:
        return partial(ChoicesField, values=get_args(items[0]))
    if get_origin(kind) is list and items[0] is str:
        return LinesField
    if get_origin(kind) is dict and items in ([str, float], [str, str]):
        return PairsField
    return None


def quoted(typed: Any) -> str:
    return f"“{Truncator(str(typed)).chars(80)}”"


def differs(field: BoundField) -> bool:
    option = field.field
    return isinstance(option, SchemaField) and option.differs(field.value())
