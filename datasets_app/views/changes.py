"""Changing a data set: which fix, with which options, and what it will do."""

from __future__ import annotations

from typing import cast

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from datasets_app.change_preview import ChangePreview, preview_change
from datasets_app.models import DatasetVersion
from datasets_app.selectors import CodeCount, code_counts
from datasets_app.services import change_version
from datasets_app.views.dataset import own_version, render_tab
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.fixes import Fix, fixes
from maxft_site.web.schema_forms import SchemaForm, form_class

APART = ("edit_row", "assign_splits")
"""Fixes that have a place of their own: at a row, and in the tab of the splits."""


@require_safe
def changes(request: HttpRequest, pk: int) -> HttpResponse:
    """The fixes to choose from."""
    version = own_version(request, pk)
    if not version.is_ready:
        return redirect(version.dataset)
    flagging = flagging_codes(version)
    offered = [
        (name, fix)
        for name, fix in fixes.items()
        if name not in APART and (flagging or not fix.needs_findings)
    ]
    return render_tab(request, version, "changes", fixes=offered)


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """GET shows what the fix will do with the options asked for; POST makes the next version."""
    version = own_version(request, pk)
    if name not in fixes:
        raise Http404
    if not version.is_ready:
        return redirect(version.dataset)
    data = request.POST if request.method == "POST" else request.GET
    codes = data.getlist("codes")
    form = fix_form(fixes[name], data)
    problem: FineTuneError | None = None
    preview: ChangePreview | None = None
    is_told = bool(codes) or not fixes[name].needs_findings
    if is_told and form.is_bound and form.is_valid():
        fix = cast(Fix, form.value)
        try:
            if request.method == "POST":
                options = fix.model_dump(mode="json")
                return redirect(
                    change_version(version=version, fixes=[options], codes=codes).dataset
                )
            preview = preview_change(version, fix, codes)
        except FineTuneError as error:
            problem = error
    return render_tab(
        request,
        version,
        "change",
        fix=fixes[name],
        fix_name=name,
        form=form,
        chosen_codes=codes,
        flagging=flagging_codes(version) if fixes[name].needs_findings else [],
        preview=preview,
        problem=problem,
        is_previewed=is_told and form.is_bound and form.is_valid(),
        status=422 if request.method == "POST" else 200,
    )


def flagging_codes(version: DatasetVersion) -> list[CodeCount]:
    """The findings that name rows which are there: bad rows are not."""
    return [kind for kind in code_counts(version) if kind.level == "warning" and kind.row]


def fix_form(fix_class: type[Fix], data: QueryDict) -> SchemaForm:
    """The form of a fix; one that needs nothing to be said is filled in with its defaults."""
    form = form_class(fix_class)
    if data.keys() - {"codes", "v"}:
        return form(data)
    is_complete = not any(info.is_required() for info in fix_class.model_fields.values())
    return form({"of": "defaults"}) if is_complete else form()
