"""The rows of a data set: leafed through, searched, one at a time changed."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from pydantic import ValidationError

from datasets_app.models import DatasetVersion
from datasets_app.row_parts import row_card
from datasets_app.selectors import FixCard, code_counts, found_rows, offset_of_row, rows_page
from datasets_app.views.dataset import (
    NUMBER_DIGITS,
    asked,
    own_version,
    render_tab,
    visible_version,
)
from maxaillm.dev.finetune.fixes import fixes
from maxaillm.dev.finetune.row_query import RowQuery
from maxaillm.dev.finetune.splits import EVERY_SPLIT
from maxft_site.web.schema_forms import form_class

ROWS_PER_PAGE = 10
PASSING_ERRORS = {"killed", "too_slow", "too_complex", "not_written", "check_failed"}
"""What was the machine's fault rather than the file's, so that another check may help."""
FILTERS = ("words", "split", "label", "code")
SHOWN_LABELS = 200


@require_safe
def dataset(request: HttpRequest, pk: int) -> HttpResponse:
    """The rows, ten at a time; `row` leads to the page with that record of the file."""
    version = visible_version(request, pk)
    if not version.is_ready:
        may_pass = (version.error or {}).get("code") in PASSING_ERRORS
        return render_tab(request, version, "state", may_pass=may_pass)
    filters = asked(request, *FILTERS)
    rows = found_rows(version, query_of(filters), filters.get("code", ""))
    page = Paginator(rows, ROWS_PER_PAGE).get_page(page_number(request, version, filters))
    splits = [split for split in EVERY_SPLIT if version.facts.get("splits", {}).get(split)]
    return render_tab(
        request,
        version,
        "rows",
        page=page,
        cards=[row_card(row) for row in page],
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
    wanted = request.GET.get("row", "")
    if not version.is_ready or not wanted.isdecimal() or len(wanted) > NUMBER_DIGITS:
        raise Http404
    place = offset_of_row(version, int(wanted))
    row = next(iter(rows_page(version, place, 1)), None)
    if row is None or row.number != int(wanted):
        raise Http404
    written = json.dumps(row.example, ensure_ascii=False, indent=2)
    form = form_class(fixes["edit_row"])(initial={"number": row.number, "example": written})
    return render_tab(request, version, "change", fix=FixCard.of("edit_row"), form=form)


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
