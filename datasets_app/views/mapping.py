"""The page where a person says which column is which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods
from django_htmx.middleware import HtmxDetails

from datasets_app.checking.look import Look, look_at
from datasets_app.forms import MappingForm
from datasets_app.models import DatasetVersion
from datasets_app.pages.reading import ReadingForm
from datasets_app.pages.rows import row_card
from datasets_app.pages.text import shortened
from datasets_app.services import set_mapping
from datasets_app.views.dataset import own_version
from maxaillm.dev.finetune.data.store.store import StoredRow

CELL_CHARS = 200
SHOWN_ROWS = 5


class HtmxRequest(HttpRequest):
    htmx: HtmxDetails


@require_http_methods(["GET", "HEAD", "POST"])
def mapping(request: HtmxRequest, pk: int) -> HttpResponse:
    """GET with a choice half made shows what is missing; POST checks the file anew."""
    version = own_version(request, pk)
    if version.is_checking or not version.sha256:
        return redirect(version.dataset)
    data = (request.POST if request.method == "POST" else request.GET).dict()
    reading = ReadingForm(version, data)
    look = seen(version, reading)
    is_new = look.guess is not None or look.columns != version.columns
    form = MappingForm(version, data, look.columns if is_new else None, look.guess)
    is_complete = look.error is None and not form.missing
    if request.method == "POST" and is_complete:
        new = set_mapping(version=version, format=form.format, reading=reading.reading)
        return redirect(new.dataset)
    if is_complete and form.format != given(look.guess):
        made = look_at(version.source_path, version.file_name, reading.reading, form.format)
        look = replace(look, rows=made.rows, error=made.error)
    context = {
        "version": version,
        "dataset": version.dataset,
        "form": form,
        "reading": reading.fields(look.file_kind, look.read_as, look.sheets),
        "look": look,
        "rows": [cells_of(row, look.columns) for row in look.sample],
        "made": list(made_rows(form, look)),
        "is_unreadable": bool(look.rows) and not any("example" in row for row in look.rows),
        "is_complete": is_complete and look.error is None,
    }
    page = "_mapping_form" if request.htmx else "mapping"
    status = 422 if request.method == "POST" else 200
    return render(request, f"datasets_app/{page}.html", context, status=status)


def seen(version: DatasetVersion, reading: ReadingForm) -> Look:
    """The file as the check saw it; its beginning read anew, where that is to be another way."""
    if reading.problem:
        error = {"message": reading.problem, "hint": "Choose something else.", "code": "config"}
        return Look(error=error)
    facts = version.facts
    if reading.reading != version.reading or "kind" not in facts or not version.columns:
        return look_at(version.source_path, version.file_name, reading.reading)
    return Look(
        file_kind=facts["kind"],
        columns=version.columns,
        sample=version.sample[:SHOWN_ROWS],
        read_as=facts.get("read_as", {}),
        sheets=facts.get("sheets", []),
    )


def given(guess: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (guess or {}).items() if value is not None}


def made_rows(form: MappingForm, look: Look) -> Iterator[dict[str, Any]]:
    """What the chosen format makes of the first rows: cards, or what is wrong with a row."""
    kind = form.schema.gives
    for number, row in enumerate(look.rows, start=1):
        if "example" in row:
            yield {"card": row_card(kind, StoredRow(number, row["example"]))}
        else:
            yield row


def cells_of(row: Mapping[str, object], columns: Sequence[str]) -> list[tuple[str, str]]:
    """Each column with what the row has in it, as text."""
    values = ((column, row.get(column)) for column in columns)
    return [
        (column, shortened("" if value is None else str(value), CELL_CHARS))
        for column, value in values
    ]
