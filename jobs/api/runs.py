"""The REST API of runs."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Body, Query, Router, Status
from ninja.pagination import paginate

from jobs import selectors
from jobs.api.run_schema import (
    BulkIn,
    BulkOut,
    CancelIn,
    ComparisonOut,
    EstimateOut,
    EventsIn,
    EventsOut,
    LabelsIn,
    LaterIn,
    RunDetailOut,
    RunOut,
    SeriesIn,
    SeriesOut,
)
from jobs.compare.choice import choose
from jobs.compare.differences import differences
from jobs.compare.scores import as_json as scores_json
from jobs.compare.scores import score_table
from jobs.models import Run
from jobs.run_form.preview import as_json, preview_run
from jobs.run_page.charts import charts_of
from jobs.run_page.series import columns_of, read_series
from jobs.run_search.listing import RunFilter
from jobs.services import bulk, deletion, labels
from jobs.services import runs as services
from jobs.services.lifecycle import later as lifecycle
from jobs.services.resolve import resolve
from maxaillm.dev.finetune.config import RunConfig
from maxft_site.web.api import Page
from maxft_site.web.idempotency import idempotent

router = Router(tags=["runs"])
RawConfig = Body[dict[str, Any]]


def owner_of(request: HttpRequest) -> User:
    return cast(User, request.user)


def run_of(request: HttpRequest, run_id: int) -> Run:
    return get_object_or_404(selectors.runs_within_reach_of(request.user), pk=run_id)


TAKES_CONFIG = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": RunConfig.model_json_schema()}},
    }
}


@router.post(
    "", response={201: RunOut}, summary="Queue a run", openapi_extra=TAKES_CONFIG, url_name="runs"
)
@idempotent
def create_run(request: HttpRequest, config: RawConfig, later: Query[LaterIn]) -> Status[Run]:
    """The body is a RunConfig; all its mistakes come back at once, as 422. `after`: the number of
    another run of yours, from whose model it starts, once that is there. `start_at`: not before,
    with its offset from UTC: 2030-01-31T22:00:00+01:00."""
    asked = RunConfig.parse(config)
    wanted = later_of(request, later)
    return Status(201, lifecycle.start(owner=owner_of(request), config=asked, later=wanted))


def later_of(request: HttpRequest, asked: LaterIn) -> services.Later:
    after = None
    if asked.after is not None:
        after = get_object_or_404(Run.objects.visible_to(request.user), pk=asked.after)
    return services.Later(after, asked.start_at)


@router.post(
    "/estimate", response=EstimateOut, summary="What a run would need", openapi_extra=TAKES_CONFIG
)
def estimate_run(request: HttpRequest, config: RawConfig) -> dict[str, Any]:
    """Nothing is started. What can't be known is null, and a finding says why."""
    return as_json(preview_run(resolve(RunConfig.parse(config), owner_of(request))))


@router.get("", response=list[RunOut], summary="All runs, newest first")
@paginate(Page)
def list_runs(
    request: HttpRequest,
    status: str = "",
    query: str = "",
    sort: str = "-run",
    deleted: bool = False,  # noqa: FBT001, FBT002 - a query parameter
) -> QuerySet[Run]:
    """`query`, as on the page Runs: words of the name, and conditions such as
    `lr>1e-4 method:lora -status:failed tag:best loss<2`, all of which have to hold. `sort`: run,
    name, status, model, method, loss, eval_loss, time, created, owner; with a minus the largest
    first. `deleted`: those that can still be restored.
    """
    runs = RunFilter(query=query, sort=sort).runs(request.user)
    if deleted:
        runs = Run.objects.deleted_by(request.user).order_by("-deleted")
    runs = runs.select_related("model").prefetch_related("tags")
    return runs.filter(status=status) if status else runs


@router.post("/bulk", response=BulkOut, summary="Stop, delete or tag several runs")
def bulk_runs(request: HttpRequest, body: BulkIn) -> dict[str, Any]:
    """Each for itself: what can't be done with one is told, and the others are done."""
    reached = selectors.runs_within_reach_of(request.user).filter(pk__in=body.runs)
    user = owner_of(request)
    if body.action == "tag":
        outcome = bulk.tag_runs(runs=reached, asked=body.runs, tag=body.tag)
    else:
        act = bulk.stop_runs if body.action == "stop" else bulk.delete_runs
        outcome = act(runs=reached, asked=body.runs, by=user)
    refused = [{"run": run, **error.as_json()} for run, error in outcome.refused]
    return {"done": outcome.done, "refused": refused}


@router.get("/compare", response=ComparisonOut, summary="Two to ten runs beside each other")
def compare_runs(request: HttpRequest, ids: str, baseline: str = "") -> dict[str, Any]:
    """`ids`: numbers, divided by commas; `baseline` is one of them, else the first."""
    choice = choose(request.user, [text.strip() for text in ids.split(",")], baseline)
    found = differences(choice.runs, choice.baseline)
    return {
        "runs": choice.runs,
        "baseline": choice.baseline.pk if choice.baseline else None,
        "differences": [
            {
                "path": row.path,
                "title": row.title,
                "values": {value.run: value.text for value in row.values},
            }
            for row in found.rows
        ],
        "metrics": scores_json(score_table(choice.runs, choice.baseline)),
        "problems": choice.problems,
    }


@router.get("/{int:run_id}", response=RunDetailOut, summary="One run")
def show_run(request: HttpRequest, run_id: int) -> Run:
    return run_of(request, run_id)


@router.patch("/{int:run_id}", response=RunOut, summary="Name, notes and tags of a run")
def label_run(request: HttpRequest, run_id: int, body: LabelsIn) -> Run:
    """`tags` are all that it has afterwards."""
    labels.describe_run(run=run_of(request, run_id), **body.dict())
    return run_of(request, run_id)


@router.delete("/{int:run_id}", response={204: None}, summary="Delete a run that has ended")
def delete_run(request: HttpRequest, run_id: int) -> Status[None]:
    """Its model goes with it. Both can be restored for seven days; then their files go too."""
    deletion.delete_run(run=run_of(request, run_id), by=owner_of(request))
    return Status(204, None)


@router.post("/{int:run_id}/restore", response=RunOut, summary="Take a deletion back")
def restore_run(request: HttpRequest, run_id: int) -> Run:
    run = get_object_or_404(Run.objects.deleted_by(request.user), pk=run_id)
    deletion.restore_run(run=run)
    return run_of(request, run_id)


@router.get("/{int:run_id}/events", response=EventsOut, summary="What happened after an event")
def list_events(request: HttpRequest, run_id: int, page: Query[EventsIn]) -> dict[str, Any]:
    run = run_of(request, run_id)
    items = selectors.events_after(run, page.after, page.limit)
    return {"items": items, "last": run.last_seq}


@router.get("/{int:run_id}/series", response=SeriesOut, summary="One curve")
def show_series(request: HttpRequest, run_id: int, asked: Query[SeriesIn]) -> dict[str, Any]:
    run = run_of(request, run_id)
    known = {metric.name: metric.info for chart in charts_of(run) for metric in chart.metrics}
    info = known.get(asked.metric)
    if info is None:
        raise Http404
    points = read_series(run, asked.metric, asked.max_points)
    words = {"metric": asked.metric, "label": info.label, "unit": info.unit, "better": info.better}
    return words | columns_of(points)


@router.post("/{int:run_id}/cancel", response={202: RunOut}, summary="Stop a run")
def cancel_run(request: HttpRequest, run_id: int, body: CancelIn | None = None) -> Status[Run]:
    save = body.save if body else False
    services.cancel_run(run=run_of(request, run_id), by=owner_of(request), save=save)
    return Status(202, run_of(request, run_id))


@router.post("/{int:run_id}/pause", response={202: RunOut}, summary="Pause a run")
def pause_run(request: HttpRequest, run_id: int) -> Status[Run]:
    services.pause_run(run=run_of(request, run_id), by=owner_of(request))
    return Status(202, run_of(request, run_id))


@router.post("/{int:run_id}/resume", response={202: RunOut}, summary="Go on with a paused run")
def resume_run(request: HttpRequest, run_id: int) -> Status[Run]:
    services.resume_run(run=run_of(request, run_id), by=owner_of(request))
    return Status(202, run_of(request, run_id))
