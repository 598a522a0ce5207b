"""The REST API of runs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Body, Field, Query, Router, Schema, Status
from ninja.pagination import paginate

from jobs import selectors
from jobs.models import Run
from jobs.run_form.preview import as_json, preview_run
from jobs.run_page.charts import charts_of
from jobs.run_page.series import MAX_POINTS, columns_of, read_series
from jobs.services import deletion
from jobs.services import runs as services
from jobs.services.resolve import resolve
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.verdict import Verdict
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.run.events.json_schema import UnionOfKinds
from maxaillm.dev.finetune.run.events.metric_info import Better
from maxft_site.web.api import Page
from maxft_site.web.idempotency import idempotent

router = Router(tags=["runs"])
RawConfig = Body[dict[str, Any]]


class ErrorOut(Schema):
    code: str
    message: str
    hint: str = ""


class RunOut(Schema):
    id: int
    name: str
    status: str
    phase: str
    step: int
    total_steps: int
    progress: float
    eta_seconds: float | None = Field(None, alias="seconds_left")
    attempt: int
    metrics: dict[str, Any]
    config: dict[str, Any]
    model: int | None = Field(None, description="The tuned model, once there is one.")
    copy_of: int | None = Field(None, alias="copy_of_id")
    waiting_for: str
    error: ErrorOut | None
    verdict: Verdict | None = Field(
        None, description="How good its model is, beside the base model, once it has ended."
    )
    advice: list[Finding] = Field(
        [], description="What the run doctor says while it trains and at its end, the worst first."
    )
    created: datetime
    started: datetime | None
    ended: datetime | None

    @staticmethod
    def resolve_model(run: Run) -> int | None:
        return run.model.pk if hasattr(run, "model") else None


class EventOut(Schema):
    seq: int
    kind: str
    step: int | None
    time: float
    data: dict[str, Any]


class EventsOut(Schema):
    items: list[Annotated[EventOut, UnionOfKinds()]]
    last: int = Field(description="Number of the run's newest event.")


class EventsIn(Schema):
    after: int = Field(0, ge=0, le=2**62)
    limit: int = Field(500, ge=1, le=1000)


class SeriesIn(Schema):
    metric: str = "loss"
    max_points: int = Field(MAX_POINTS, ge=10, le=5000)


class SeriesOut(Schema):
    """A metric by step; null where it was no number. Long runs are thinned, spikes kept."""

    metric: str
    label: str
    unit: str
    better: Better
    step: list[int]
    value: list[float | None]
    epoch: list[float | None]
    tokens: list[float | None]
    time: list[float]


class EstimateOut(Schema):
    trainable_parameters: int | None
    total_parameters: int | None
    training_rows: int | None
    validation_rows: int | None = Field(description="Held out: no step sees them.")
    learning_rate: float | None
    epochs: float | None = Field(description="How often each row is seen.")
    steps: int | None
    tokens: int | None
    memory_bytes: dict[str, int] | None = Field(
        description="weights, optimizer, gradients, activations, total"
    )
    available_bytes: int | None
    fits: bool | None
    seconds: float | None
    disk_bytes: int | None
    cut_rows: int | None = Field(description="Rows that the maximum length cuts, about.")
    cut_tokens: int | None = Field(description="What these rows lose, about.")
    findings: list[dict[str, Any]]


class CancelIn(Schema):
    save: bool = Field(False, description="Keep the model as it is when the run stops.")


class ExtendIn(Schema):
    num_train_epochs: float = Field(gt=0, le=1000)


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
def create_run(request: HttpRequest, config: RawConfig) -> Status[Run]:
    """The body is a RunConfig; all its mistakes come back at once, as 422."""
    run = services.create_run(owner=owner_of(request), config=RunConfig.parse(config))
    return Status(201, run)


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
    deleted: bool = False,  # noqa: FBT001, FBT002 - a query parameter
) -> QuerySet[Run]:
    """`deleted`: those that can still be restored."""
    runs = selectors.runs_of(request.user)
    if deleted:
        runs = Run.objects.deleted_by(request.user).order_by("-deleted")
    return runs.filter(status=status) if status else runs


@router.get("/{int:run_id}", response=RunOut, summary="One run")
def show_run(request: HttpRequest, run_id: int) -> Run:
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


@router.post("/{int:run_id}/retry", response={202: RunOut}, summary="The same again, as a new run")
@idempotent
def retry_run(request: HttpRequest, run_id: int) -> Status[Run]:
    return Status(202, services.retry_run(run=run_of(request, run_id), by=owner_of(request)))


@router.post(
    "/{int:run_id}/extend", response={202: RunOut}, summary="The same for longer, as a new run"
)
@idempotent
def extend_run(request: HttpRequest, run_id: int, body: ExtendIn) -> Status[Run]:
    longer = services.extend_run(
        run=run_of(request, run_id),
        by=owner_of(request),
        num_train_epochs=body.num_train_epochs,
    )
    return Status(202, longer)
