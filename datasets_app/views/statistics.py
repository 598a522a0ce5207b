"""The tab Statistics: what the rows of a version look like in numbers."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from datasets_app.pages.statistics import histograms, tables
from datasets_app.selectors import code_counts
from datasets_app.views.dataset import render_tab, visible_version
from maxaillm.dev.finetune.data.checks import label_of


@require_safe
def statistics(request: HttpRequest, pk: int) -> HttpResponse:
    """Lengths, turns, scores and shares; none of a version that an older release checked."""
    version = visible_version(request, pk)
    if not version.is_ready:
        return redirect(version.dataset)
    if "statistics" not in version.facts:
        return render_tab(request, version, "statistics")
    findings = {kind.code: label_of(kind.code) for kind in code_counts(version)}
    return render_tab(
        request,
        version,
        "statistics",
        histograms=list(histograms(version)),
        tables=list(tables(version, findings)),
    )
