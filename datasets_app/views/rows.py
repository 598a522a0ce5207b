"""The rows of a dataset: leafed through, searched, one at a time changed."""

from __future__ import annotations

import json
from urllib.parse import quote_plus, urlencode

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe
from pydantic import ValidationError

from datasets_app.models import DatasetVersion
from datasets_app.pages.hub_form import HubChoice
from datasets_app.pages.rows import row_card
from datasets_app.selectors import (
    FixCard,
    code_counts,
    found_rows,
    offset_of_row,
    row_numbered,
)
from datasets_app.views.dataset import (
    NUMBER_DIGITS,
    asked,
    own_version,
    render_tab,
    visible_version,
)
from maxaillm.dev.finetune.data.fixes import fixes
from maxaillm.dev.finetune.data.rows.splits import EVERY_SPLIT
from maxaillm.dev.finetune.data.store.query import RowQuery
from maxaillm.dev.finetune.data.store.store import StoredRow
from maxft_site.web.schema_forms import form_class

ROWS_PER_PAGE = 10
PASSING_ERRORS = {"killed", "too_slow", "too_complex", "not_written", "check_failed"}
"""What was the machine's fault rather than the file's, so that another check may help."""
LASTING_ERRORS = {
    "hub_choice", "hub_name", "hub_card", "hub_no_data", "hub_revision", "hub_subset",
    "hub_too_many", "too_many_files",
}  # fmt: skip
"""What stays as it is of the commit that was named, however often it is fetched."""
FILTERS = ("words", "split", "label", "code")
SHOWN_LABELS = 200
FORM_SHARE = 0.9
"""How much of the largest form one row may take, encoded as forms are: it may grow in there."""


@require_safe
def dataset(request: HttpRequest, pk: int) -> HttpResponse:
    """The rows, ten at a time; `row` leads to the page with that record of the file."""
    version = visible_version(request, pk)
    if not version.is_ready:
        code = (version.error or {}).get("code")
        may_pass = code in PASSING_ERRORS or (version.awaits_file and code not in LASTING_ERRORS)
        choice = HubChoice.of(version, request.GET.dict())
        return render_tab(request, version, "state", may_pass=may_pass, choice=choice)
    filters = asked(request, *FILTERS)
    rows = found_rows(version, query_of(filters), filters.get("code", ""))
    every = Paginator(range(len(rows.places)), ROWS_PER_PAGE)
    page = every.get_page(page_number(request, version, filters))
    shown = rows.page(ROWS_PER_PAGE * (page.number - 1), len(page))
    splits = [split for split in EVERY_SPLIT if version.facts.get("splits", {}).get(split)]
    return render_tab(
        request,
        version,
        "rows",
        page=page,
        cards=[row_card(rows.store.kind, row) for row in shown],
        filters=filters,
        is_raw=request.GET.get("as") == "raw",
        query=urlencode(asked(request, "v", *FILTERS, "as")),
        unraw_query=urlencode(asked(request, "v", *FILTERS)),
        wanted=request.GET.get("row", ""),
        splits=splits if len(splits) > 1 else [],
        labels=labels_on_offer(version, filters.get("label")),
        warnings=[kind for kind in code_counts(version) if kind.level == "warning" and kind.row],
    )


@require_safe
def row_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """The row with the number `row` as JSON, to be written anew."""
    version = own_version(request, pk)
    row = asked_row(request, version)
    written = json.dumps(row.example, ensure_ascii=False, indent=2)
    if len(quote_plus(written)) > FORM_SHARE * settings.MAX_BODY_BYTES:
        messages.error(
            request,
            f"Row {row.number:,} is too long to be edited in a form. Download the rows, change it "
            "there and upload the file anew.",
        )
        return redirect(f"{version.dataset.get_absolute_url()}?{request.GET.urlencode()}")
    form = form_class(fixes["edit_row"])(initial={"number": row.number, "example": written})
    return render_tab(request, version, "change", fix=FixCard.of("edit_row"), form=form)


@require_safe
def row_whole(request: HttpRequest, pk: int) -> HttpResponse:
    """The row with the number `row` as JSON, however long it is."""
    row = asked_row(request, visible_version(request, pk))
    written = json.dumps(row.example, ensure_ascii=False, indent=2)
    return HttpResponse(
        written,
        content_type="application/json; charset=utf-8",
        headers={"X-Content-Type-Options": "nosniff"},
    )


def asked_row(request: HttpRequest, version: DatasetVersion) -> StoredRow:
    wanted = request.GET.get("row", "")
    if not version.is_ready or not wanted.isdecimal() or len(wanted) > NUMBER_DIGITS:
        raise Http404
    row = row_numbered(version, int(wanted))
    if row is None:
        raise Http404
    return row


def labels_on_offer(version: DatasetVersion, chosen: str | None) -> list[str]:
    """The first labels, and the one that is chosen."""
    labels = sorted(version.facts.get("labels", {}))[:SHOWN_LABELS]
    return labels if chosen is None or chosen in labels else [chosen, *labels]


def query_of(filters: dict[str, str]) -> RowQuery:
    """What was asked for; a part of it that makes no sense is left out."""
    chosen = {name: value for name, value in filters.items() if name != "code"}
    try:
        return RowQuery.model_validate(chosen)
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
        return RowQuery.model_validate({k: v for k, v in chosen.items() if k not in wrong})


def page_number(
    request: HttpRequest, version: DatasetVersion, filters: dict[str, str]
) -> str | int | None:
    wanted = request.GET.get("row", "")
    if wanted.isdecimal() and len(wanted) <= NUMBER_DIGITS and not filters:
        return offset_of_row(version, int(wanted)) // ROWS_PER_PAGE + 1
    return request.GET.get("page")
