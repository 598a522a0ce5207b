"""The page that compares runs; its address holds all that is chosen."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from jobs.compare.choice import MOST, Choice, choose
from jobs.compare.curves import compare_charts, figure, look, points_of
from jobs.compare.differences import differences
from jobs.compare.fairness import remarks
from jobs.compare.samples import answers_of
from jobs.compare.scores import ScoreTable, score_table
from jobs.models import Run
from jobs.run_page.charts import Chart
from jobs.selectors import runs_of
from jobs.views.request import Request
from jobs.views.run_data import window_of
from jobs.views.run_list import link
from maxft_site.web.formatting import typed_number

AXES = ("step", "epoch", "tokens", "time")
SCALES = ("linear", "log")
KEPT = ("x", "scale", "smoothing", "sort")
"""What forms of the page take along."""
OFFERED = 100
"""Runs that can be added by choosing; others by their number in the address."""


def choice_of(request: Request) -> Choice:
    get = request.GET
    return choose(request.user, get.getlist("run"), get.get("baseline", ""))


@require_GET
def compare(request: Request) -> HttpResponse:
    """Two to ten runs beside each other; what of it is gone is said, the rest is shown."""
    get, choice = request.GET, choice_of(request)
    context: dict[str, Any] = {
        "choice": choice,
        "looks": {run.pk: look(place) for place, run in enumerate(choice.runs)},
        "offered": offered(request, choice),
    }
    if choice.is_enough:
        found, table = differences(choice.runs, choice.baseline), table_of(request, choice)
        context |= {
            "cards": [(run, *links(request, choice, run)) for run in choice.runs],
            "charts": compare_charts(choice.runs),
            "axes": [(name, name == chosen(get.get("x"), AXES)) for name in AXES],
            "scales": [(name, name == chosen(get.get("scale"), SCALES)) for name in SCALES],
            "smoothing": smoothing(get.get("smoothing", "")),
            "differences": found,
            "table": table,
            "heads": heads(request, table),
            "remarks": remarks(choice, found, table, request.user),
            "samples": (prompts := answers_of(choice.runs)),
            "sample": sample_at(prompts, get.get("sample", "")),
            "query": get.urlencode(),
            "kept": [(name, get[name]) for name in KEPT if name in get],
        }
    return render(request, "jobs/compare.html", context)


def chosen(name: str | None, names: tuple[str, ...]) -> str:
    return name if name in names else names[0]


def smoothing(text: str) -> float:
    try:
        return min(0.99, max(0.0, float(text)))
    except ValueError:
        return 0.0


def table_of(request: Request, choice: Choice) -> ScoreTable:
    return score_table(choice.runs, choice.baseline).sorted(request.GET.get("sort", ""))


def heads(request: Request, table: ScoreTable) -> list[tuple[str, str, str]]:
    """Of each metric: its label, the address that sorts by it, the present order."""
    sort = request.GET.get("sort", "")
    return [
        (
            info.label,
            link(request.GET, sort=f"-{name}" if sort == name else name),
            "best first" if sort == name else "worst first" if sort == f"-{name}" else "",
        )
        for name, info in table.metrics
    ]


def links(request: Request, choice: Choice, run: Run) -> tuple[str, str]:
    """The addresses that pin a run, and that leave it out."""
    rest = request.GET.copy()
    rest.setlist("run", [str(other.pk) for other in choice.runs if other != run])
    if run == choice.baseline:
        rest.pop("baseline", None)
    return link(request.GET, baseline=str(run.pk)), f"?{rest.urlencode()}"


def offered(request: Request, choice: Choice) -> list[Run]:
    """Runs that can be added, the newest first."""
    if len(choice.runs) >= MOST:
        return []
    here = {run.pk for run in choice.runs}
    return list(runs_of(request.user).exclude(pk__in=here)[:OFFERED])


def sample_at(prompts: list[Any], text: str) -> tuple[int, Any] | None:
    """The prompt that is shown, with its place."""
    place = typed_number(text) or 0
    place = place if place < len(prompts) else 0
    return (place, prompts[place]) if prompts else None


def chart_of(choice: Choice, name: str) -> Chart:
    found = next((chart for chart in compare_charts(choice.runs) if chart.name == name), None)
    if found is None:
        raise Http404
    return found


@require_GET
def compare_chart(request: Request, name: str) -> JsonResponse:
    """The figure of one metric, a line for each run."""
    choice = choice_of(request)
    drawn = figure(chart_of(choice, name), choice.runs, window_of(request))
    return JsonResponse(drawn, json_dumps_params={"allow_nan": False, "separators": (",", ":")})


@require_GET
def compare_chart_csv(request: Request, name: str) -> HttpResponse:
    """Every point of one metric; numbers and our own names alone: nothing a sheet would run."""
    choice = choice_of(request)
    points = points_of(chart_of(choice, name), choice.runs)
    head = ("run", "step", "value", "epoch", "tokens", "time")
    return csv_file(f"compare-{name}.csv", head, ((pk, *point) for pk, point in points))


@require_GET
def compare_csv(request: Request) -> HttpResponse:
    """The table of metrics, a line for each run and metric."""
    choice = choice_of(request)
    table = table_of(request, choice)
    head = (
        "run",
        "metric",
        "value",
        "low",
        "high",
        "difference",
        "worse_end",
        "better_end",
        "rows",
    )
    return csv_file("compare.csv", head, csv_rows(table))


def csv_rows(table: ScoreTable) -> Iterable[tuple[Any, ...]]:
    for row in table.rows:
        for (name, _), cell in zip(table.metrics, row.cells, strict=True):
            found = cell.beside.found if cell.beside else None
            ends = row.run.metrics.get(f"{name}_interval") or (None, None)
            beside = (found.tuned - found.base, found.low, found.high, found.rows) if found else ()
            yield (row.run.pk, name, cell.value, *ends, *beside)


def csv_file(name: str, head: Iterable[str], rows: Iterable[Iterable[Any]]) -> HttpResponse:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(head)
    writer.writerows(rows)
    response = HttpResponse(text.getvalue(), content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
