"""What lies behind a run page: figures of its charts, their numbers, its log."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import IO

from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from jobs.models import Run
from jobs.run_page.charts import Chart, chart_named, figure, read_chart
from jobs.run_page.log import LogTail, tail_of
from jobs.run_page.series import ALL_POINTS, MAX_POINTS, Point, Window
from jobs.views.request import Request
from jobs.views.runs import visible_run
from maxaillm.dev.finetune.processes.plain_files import open_plain
from maxft_site.web.formatting import typed_number

TABLE_POINTS = 200
CHUNK_BYTES = 64 * 1024
COLUMNS = ("metric", "step", "value", "epoch", "tokens", "time")


def chart_or_404(run: Run, name: str) -> Chart:
    chart = chart_named(run, name)
    if chart is None:
        raise Http404
    return chart


@require_GET
def run_chart(request: Request, pk: int, name: str) -> JsonResponse:
    """The figure of one chart, thinned to what a screen can show; `low` and `high` are the steps
    that are looked at closely."""
    run = visible_run(request, pk)
    chart = chart_or_404(run, name)
    drawn = figure(chart, read_chart(run, chart, MAX_POINTS, window_of(request)))
    return JsonResponse(drawn, json_dumps_params={"allow_nan": False, "separators": (",", ":")})


def window_of(request: Request) -> Window:
    low, high = (typed_number(request.GET.get(name, "")) for name in ("low", "high"))
    return Window(low, high)


@require_GET
def run_table(request: Request, pk: int, name: str) -> HttpResponse:
    """The numbers of one chart as a table, newest first."""
    run = visible_run(request, pk)
    chart = chart_or_404(run, name)
    points = rows_of(read_chart(run, chart, TABLE_POINTS))
    rows = sorted(points, key=lambda row: (-row[1].step, row[0]))
    return render(request, "jobs/run_table.html", {"run": run, "chart": chart, "rows": rows})


@require_GET
def run_csv(request: Request, pk: int, name: str) -> HttpResponse:
    """All numbers of one chart. Only numbers and our own names: nothing a sheet would run."""
    run = visible_run(request, pk)
    chart = chart_or_404(run, name)
    rows = rows_of(read_chart(run, chart, ALL_POINTS))
    lines = csv_lines(rows)
    response = HttpResponse(lines, content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="run-{run.pk}-{chart.name}.csv"'
    return response


def rows_of(series: Mapping[str, Sequence[Point]]) -> Iterator[tuple[str, Point]]:
    return ((metric, point) for metric, points in series.items() for point in points)


def csv_lines(rows: Iterator[tuple[str, Point]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows((metric, *point) for metric, point in rows)
    return text.getvalue()


@require_GET
def run_log(request: Request, pk: int) -> HttpResponse:
    """The end of the log, or the newest lines that hold what is searched for."""
    run = visible_run(request, pk)
    words = request.GET.get("q", "")[:200]
    tail: LogTail = tail_of(run, words)
    return render(request, "jobs/_run_log.html", {"run": run, "tail": tail})


@require_GET
def run_log_file(request: Request, pk: int) -> StreamingHttpResponse:
    """The whole log of the newest attempt, as a download that is never held in memory."""
    run = visible_run(request, pk)
    try:
        file = open_plain(run.attempt_folder(run.attempt).log)
    except FileNotFoundError:
        raise Http404 from None
    response = StreamingHttpResponse(chunks(file), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="run-{run.pk}-log.txt"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


async def chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk
