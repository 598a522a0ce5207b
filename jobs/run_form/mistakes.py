"""Mistakes of a form of a run: which fields must be put right, and where they are on the page."""

from __future__ import annotations

from typing import NamedTuple

from maxft_site.web.schema_forms import ComponentChoice, SchemaForm

PICKERS = {
    "model-name": "s-model",
    "data-dataset": "s-data",
    "task": "s-task",
    "tuning-name": "s-method",
}
"""Where the inputs are that have a list of their own instead of a control."""


class Missing(NamedTuple):
    """A field to put right before the run can start, and its id."""

    label: str
    anchor: str


def mistakes_in(form: SchemaForm, typed: dict[str, str]) -> list[Missing]:
    """The fields with errors. `typed`: the ids of those that are typed beside their list."""
    places = PICKERS | typed
    fields = [
        Missing(str(field.label), places.get(field.html_name, field.auto_id))
        for field in form.everything()
        if field.errors
    ]
    return fields + [
        Missing(choice.label, places.get(choice.input_name, chosen_id(choice)))
        for choice in form.choices()
        if choice.errors
    ]


def chosen_id(choice: ComponentChoice) -> str:
    return f"{choice.prefix}-chosen"
