"""The REST API of a run's log."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from jobs.api.runs import run_of
from jobs.run_page.log import log_part

router = Router(tags=["runs"])


class LogIn(Schema):
    attempt: int | None = Field(None, ge=0, le=2**31 - 1, description="Empty: the newest.")
    after: int = Field(0, ge=0, le=2**62, description="The `next` of the part before.")


class LogOut(Schema):
    attempt: int
    newest_attempt: int
    lines: list[str]
    next: int
    size_bytes: int


@router.get("/{int:run_id}/log", response=LogOut, summary="Lines of a run's log")
def show_log(request: HttpRequest, run_id: int, page: Query[LogIn]) -> dict[str, Any]:
    """From the beginning, or from where the part before ended; without control characters. A run
    that was interrupted has a log for each attempt."""
    run = run_of(request, run_id)
    attempt = run.attempt if page.attempt is None else page.attempt
    return {"newest_attempt": run.attempt, **log_part(run, attempt, page.after)._asdict()}
