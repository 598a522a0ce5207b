"""Changing a dataset: which fix, with which options, and what it will do."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe
from pydantic import ValidationError

from datasets_app.models import DatasetVersion
from datasets_app.pages.changes import ChangePreview, preview_change
from datasets_app.selectors import CodeCount, FixCard, code_counts
from datasets_app.services import change_version
from datasets_app.views.dataset import own_version, render_tab
from maxaillm.dev.finetune.data.fixes import Fix, fixes
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.schema_forms import SchemaForm, form_class

APART = ("edit_row", "assign_splits")
"""Fixes that have a place of their own: at a row, and in the tab of the splits."""

ASIDE = {"codes", "v", "seen", "do", "csrfmiddlewaretoken"}
"""What a form sends beside the options of the fix."""


@require_safe
def changes(request: HttpRequest, pk: int) -> HttpResponse:
    """The fixes to choose from."""
    version = own_version(request, pk)
    if not version.is_ready:
        return redirect(version.dataset)
    flagging = flagging_codes(version)
    offered = [
        FixCard.of(name)
        for name, fix in fixes.items()
        if name not in APART and (flagging or not fix.needs_findings)
    ]
    return render_tab(request, version, "changes", fixes=offered)


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Shows what the fix will do with the options sent; POST with `do=make` makes a version."""
    version = own_version(request, pk)
    if name not in fixes:
        raise Http404
    if not version.is_ready:
        messages.error(request, f"v{version.number} can't be changed: it is not ready.")
        return redirect(version.dataset)
    data = request.POST if request.method == "POST" else request.GET
    codes = data.getlist("codes")
    form, fix = form_and_fix(fixes[name], data)
    problem: FineTuneError | None = None
    preview: ChangePreview | None = None
    try:
        if fix is not None and data.get("do") == "make" and request.method == "POST":
            require_seen(version, data.get("seen", ""))
            step = fix.model_dump(mode="json")
            return redirect(change_version(version=version, fixes=[step], codes=codes).dataset)
        if fix is not None:
            preview = preview_change(version, fix, codes)
    except FineTuneError as error:
        problem = error
    if form.is_bound and fixes[name].needs_findings and not codes:
        problem = FineTuneError(
            "No finding is chosen.", "Choose the findings whose rows are meant."
        )
    wrong = problem is not None or (form.is_bound and fix is None)
    return render_tab(
        request,
        version,
        "change",
        fix=FixCard.of(name),
        form=form,
        chosen_codes=codes,
        flagging=flagging_codes(version) if fixes[name].needs_findings else [],
        preview=preview,
        problem=problem,
        is_previewed=fix is not None and problem is None,
        status=422 if wrong and request.method == "POST" else 200,
    )


def require_seen(version: DatasetVersion, seen: str) -> None:
    """Refuse what was decided before the newest version was there: rows have other numbers now."""
    newest = version.dataset.newest
    if seen and seen != str(newest.number):
        raise FineTuneError(
            f"v{newest.number} was made meanwhile. Your change is one of v{version.number}.",
            f"Send it once more to make it of v{version.number} all the same, or go to the newest.",
        )


def flagging_codes(version: DatasetVersion) -> list[CodeCount]:
    """The findings that name rows which are there: bad rows are not."""
    return [kind for kind in code_counts(version) if kind.level == "warning" and kind.row]


def form_and_fix(fix_class: type[Fix], data: QueryDict) -> tuple[SchemaForm, Fix | None]:
    """The form as it was filled in, and the fix that it describes, where that is complete."""
    form = form_class(fix_class)(data if data.keys() - ASIDE else None)
    is_told = "codes" in data or not fix_class.needs_findings
    if form.is_bound:
        is_complete = form.is_valid() and is_told
        return form, cast(Fix, form.value) if is_complete else None
    return form, fix_by_default(fix_class) if "codes" in data else None


def fix_by_default(fix_class: type[Fix]) -> Fix | None:
    """The fix with all its defaults; None where something has to be said."""
    try:
        return fix_class.model_validate({})
    except ValidationError:
        return None
