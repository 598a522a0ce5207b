"""Presets in the form of a run: which one its fields are like, and what each would change."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from django.forms import CheckboxInput
from django.forms.boundfield import BoundField
from django.http import QueryDict

from maxaillm.dev.finetune.config.presets import FIELDS, PRESETS, Preset
from maxft_site.web.schema_forms import SchemaForm

NAME, SHOWN = "preset", "preset-shown"
"""Inputs: the preset that is chosen, and the one that the form was like when it was shown."""


class Change(NamedTuple):
    label: str
    before: str
    after: str


class PresetOption(NamedTuple):
    """A preset on offer."""

    value: str
    label: str
    text: str
    changes: list[Change]
    fix: str
    """All values that it sets, as JSON, for `data-fix`."""


def preset_options(form: SchemaForm) -> list[PresetOption]:
    fields = {path: field for path in FIELDS if (field := field_at(form, path)) is not None}
    return [option_of(preset, fields) for preset in PRESETS.values()]


def option_of(preset: Preset, fields: dict[str, BoundField]) -> PresetOption:
    found = [
        Change(str(fields[path].label).lower(), typed_in(fields[path]), written(value))
        for path, value in preset.changes.items()
        if path in fields
    ]
    changes = [change for change in found if change.before != change.after]
    fix = {path: value for path, value in preset.changes.items() if path in fields}
    return PresetOption(preset.name, preset.label, preset.help, changes, json.dumps(fix))


def chosen(options: list[PresetOption]) -> str:
    """The preset that would change nothing; empty where the form is like none."""
    return next((option.value for option in options if not option.changes), "")


def preset_panel(form: SchemaForm) -> dict[str, Any]:
    options = preset_options(form)
    return {"options": options, "chosen": chosen(options)}


def with_preset(data: QueryDict) -> QueryDict:
    """The form as it was sent, with the preset that was chosen in it, if another was shown."""
    preset = PRESETS.get(data.get(NAME, ""))
    if preset is None or preset.name == data.get(SHOWN):
        return data
    changed = data.copy()
    for path, value in preset.changes.items():
        name = path.replace(".", "-")
        if value in (None, False):
            changed.pop(name, None)
        else:
            changed[name] = str(value)
    return changed


def field_at(form: SchemaForm, path: str) -> BoundField | None:
    """None where the option has no use and was left out."""
    section, option = path.split(".")
    part: Any = form.parts[section]
    return part[option] if option in part.fields else None


def typed_in(field: BoundField) -> str:
    """An unticked box has no value, which is not what an empty line says."""
    is_box = isinstance(field.field.widget, CheckboxInput)
    return written(bool(field.value()) if is_box else field.value())


def written(value: object) -> str:
    """As the page shows it: nothing typed is what is recommended, an unticked box is off."""
    if value is None or value == "":
        return "as recommended"
    if isinstance(value, bool):
        return "on" if value else "off"
    try:
        return f"{float(str(value)):g}"
    except ValueError:
        return str(value)
