"""The REST API of the queue."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema

from jobs.api.runs import owner_of, run_of
from jobs.models import QueuePause
from jobs.queue_page import Lane, WaitingRow, queue_state, rows_of
from jobs.queue_page.later import LaterRow, later_rows
from jobs.services.queue import claims, pauses
from jobs.services.queue import order as queue_order
from jobs.services.queue.forecast import shares
from jobs.training.workers import devices_up, workers_up

router = Router(tags=["queue"])


class RunningOut(Schema):
    id: int
    name: str


class LaneOut(Schema):
    name: str
    kind: str
    workers: int
    running: list[RunningOut]
    others: int = Field(description="Runs of other people at work there.")


class WaitingOut(Schema):
    id: int
    name: str
    owner: str
    position: int
    why: str
    expected_start: datetime | None
    priority: int


class LaterOut(Schema):
    """A run that is not in turn yet."""

    id: int
    name: str
    owner: str
    why: str
    start_at: datetime | None
    after: int | None
    held: bool


class PauseOut(Schema):
    kind: str = Field(description="Empty: everything.")
    by: str
    why: str
    since: datetime


class PauseIn(Schema):
    kind: Literal["", "cpu", "cuda"] = Field("", description="Empty: everything.")
    why: str = Field("", max_length=200)


class ShareOut(Schema):
    """Device-seconds of one user who is in the queue now."""

    user: str
    kind: str
    received: float
    entitled: float = Field(description="Were all who are in the queue now even.")


class QueueOut(Schema):
    lanes: list[LaneOut]
    waiting: list[WaitingOut]
    others: int = Field(description="Waiting runs of other people.")
    later: list[LaterOut] = Field(description="Those that wait for a time or for another run.")
    paused: list[PauseOut] = Field(description="What takes nothing new.")
    version: str = Field(description="Names the order of your own runs; a new order carries it.")
    shares: list[ShareOut]


class OrderIn(Schema):
    runs: list[int] = Field(description="All your waiting runs, the first one first.")
    version: str = Field(description="As GET /queue gave it.")


class MoveIn(Schema):
    before: int | None = Field(None, description="Another waiting run of yours; none: behind all.")
    version: str | None = None


class PriorityIn(Schema):
    first: bool = Field(description="Before everybody's runs, or in its turn.")


@router.get("/queue", response=QueueOut, summary="What works and waits, and when it will start")
def show_queue(request: HttpRequest) -> dict[str, Any]:
    """A superuser sees everybody's runs, others their own."""
    user = owner_of(request)
    state = queue_state(user, devices_up(workers_up()))
    only = None if user.is_superuser else user.pk
    return {
        "lanes": [lane_json(lane) for lane in state.lanes],
        "waiting": [row_json(row) for row in rows_of(state.waiting, user, state)],
        "others": state.others,
        "later": [later_json(row) for row in later_rows(user)],
        "paused": [pause_json(pause) for pause in pauses.pauses().values()],
        "version": state.version,
        "shares": [share._asdict() for share in shares(only)],
    }


def row_json(row: WaitingRow) -> dict[str, Any]:
    return {
        "id": row.run.pk,
        "name": row.run.name,
        "owner": row.run.owner.get_username(),
        "position": row.expected.place,
        "why": row.expected.why,
        "expected_start": row.expected.start,
        "priority": row.run.priority,
    }


def later_json(row: LaterRow) -> dict[str, Any]:
    return {
        "id": row.run.pk,
        "name": row.run.name,
        "owner": row.run.owner.get_username(),
        "why": row.wait.text,
        "start_at": row.start_at,
        "after": row.run.after_id,
        "held": row.wait.is_held,
    }


def pause_json(pause: QueuePause) -> dict[str, Any]:
    by = pause.by.get_username() if pause.by else ""
    return {"kind": pause.kind, "by": by, "why": pause.why, "since": pause.since}


@router.post("/queue/pause", response=QueueOut, summary="Take nothing new")
def pause_queue(request: HttpRequest, body: PauseIn) -> dict[str, Any]:
    """A kind of device, or everything; what runs goes on. Owners of the site may; others get
    403."""
    pauses.begin(kind=body.kind, by=owner_of(request), why=body.why)
    return show_queue(request)


@router.post("/queue/resume", response=QueueOut, summary="Take new runs again")
def resume_queue(request: HttpRequest, body: PauseIn) -> dict[str, Any]:
    claims.open_again(kind=body.kind, by=owner_of(request))
    return show_queue(request)


def lane_json(lane: Lane) -> dict[str, Any]:
    running = [{"id": run.pk, "name": run.name} for run in lane.running]
    return {**lane._asdict(), "running": running}


@router.put("/queue/order", response=QueueOut, summary="Order your own waiting runs")
def order_queue(request: HttpRequest, body: OrderIn) -> dict[str, Any]:
    """409 where the order has changed since, or a run has left it: nothing is moved then."""
    queue_order.reorder(owner=owner_of(request), runs=body.runs, version=body.version)
    return show_queue(request)


@router.post("/runs/{int:run_id}/move", response=QueueOut, summary="Move a waiting run")
def move_run(request: HttpRequest, run_id: int, body: MoveIn) -> dict[str, Any]:
    run = run_of(request, run_id)
    queue_order.move_before(run=run, before=body.before, version=body.version)
    return show_queue(request)


@router.post("/runs/{int:run_id}/priority", response=QueueOut, summary="Put a run first")
def put_first(request: HttpRequest, run_id: int, body: PriorityIn) -> dict[str, Any]:
    """Owners of the site may; others get 403."""
    run = run_of(request, run_id)
    queue_order.put_first(run=run, by=owner_of(request), is_first=body.first)
    return show_queue(request)
