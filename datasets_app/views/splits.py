"""What is trained on, what steers, and what measures: the splits of a dataset."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from datasets_app.selectors import code_counts
from datasets_app.services import lock_test
from datasets_app.views.dataset import own_version, render_tab, visible_version
from maxaillm.dev.finetune.data.fixes import fixes
from maxft_site.web.schema_forms import form_class

LEAKS = ("leakage", "near_leakage")


@require_safe
def splits(request: HttpRequest, pk: int) -> HttpResponse:
    """How many rows each split has, what leaks between them, and how to split anew."""
    version = visible_version(request, pk)
    return render_tab(
        request,
        version,
        "splits",
        form=form_class(fixes["assign_splits"])(),
        leaks=[kind for kind in code_counts(version) if kind.code in LEAKS],
        has_test=bool(version.facts.get("splits", {}).get("test")),
    )


@require_POST
def test_lock(request: HttpRequest, pk: int) -> HttpResponse:
    """Lock the test rows, or with `unlock` let them change again."""
    version = own_version(request, pk)
    is_locked = "unlock" not in request.POST
    lock_test(dataset=version.dataset, is_locked=is_locked)
    if is_locked:
        messages.success(request, "The test rows are locked: no change of the data touches them.")
    else:
        messages.success(request, "The test rows are unlocked: a change may touch them.")
    return redirect("datasets:splits", pk)
