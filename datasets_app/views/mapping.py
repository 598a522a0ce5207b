"""The page where a person says which column is which."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods
from django_htmx.middleware import HtmxDetails

from datasets_app.forms import MappingForm
from datasets_app.models import DatasetVersion
from datasets_app.pages.text import shortened
from datasets_app.services import set_mapping
from datasets_app.views.dataset import own_version

CELL_CHARS = 200
SHOWN_ROWS = 5


class HtmxRequest(HttpRequest):
    htmx: HtmxDetails


@require_http_methods(["GET", "HEAD", "POST"])
def mapping(request: HtmxRequest, pk: int) -> HttpResponse:
    """GET with a choice half made shows what is missing; POST checks the file anew."""
    version = own_version(request, pk)
    if version.is_checking or not version.columns:
        return redirect(version.dataset)
    form = MappingForm(version, (request.POST if request.method == "POST" else request.GET).dict())
    if request.method == "POST" and not form.missing:
        return redirect(set_mapping(version=version, format=form.format).dataset)
    context = {
        "version": version,
        "dataset": version.dataset,
        "form": form,
        "rows": [cells_of(row, version) for row in version.sample[:SHOWN_ROWS]],
    }
    page = "_mapping_form" if request.htmx else "mapping"
    status = 422 if request.method == "POST" else 200
    return render(request, f"datasets_app/{page}.html", context, status=status)


def cells_of(row: dict[str, object], version: DatasetVersion) -> list[str]:
    values = (row.get(column, "") for column in version.columns)
    return [shortened("" if value is None else str(value), CELL_CHARS) for value in values]
