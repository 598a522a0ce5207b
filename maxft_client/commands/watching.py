"""A run watched until it has ended: a bar of its steps, its events, its verdict."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from maxft_client.errors import FailedError
from maxft_client.site.connection import Site
from maxft_client.site.following import events
from maxft_client.terminal.screen import Screen
from maxft_client.terminal.text import one_line, pairs

SHOWN = ("loss", "eval_loss", "learning_rate", "tokens_per_second")
QUIET = {"log", "sample"}
"""Kinds of events that a bar shows, or that are too long to be a line."""


def watch(screen: Screen, site: Site, run_id: int) -> dict[str, Any]:
    """Show a run's events until it has ended: the run as it is then.

    As JSON each event is a line, as the API has it, and the run itself is the last one.
    """
    run: dict[str, Any] = site.get(f"/runs/{run_id}")
    with screen.steps() as progress:
        total = run["total_steps"]
        bar = progress.add_task("", total=total or None, phase=run["status"], place="")
        for event in events(site, run_id):
            if screen.as_json:
                screen.document(event)
                continue
            data, step = event["data"], event["step"]
            if event["kind"] == "stage":
                total = data.get("total_steps") or total
                progress.update(bar, phase=one_line(data.get("name", "")), total=total or None)
            if event["kind"] == "log":
                shown = {name: data[name] for name in SHOWN if name in data}
                place = f"step {step:,}/{total:,}"
                progress.update(bar, completed=step, description=pairs(shown), place=place)
            if event["kind"] not in QUIET or not screen.is_live:
                screen.say(line_of(event))
        run = site.get(f"/runs/{run_id}")
        progress.update(bar, phase=run["status"])
    return run


def line_of(event: dict[str, Any]) -> str:
    clock = datetime.fromtimestamp(event["time"]).astimezone().strftime("%H:%M:%S")
    step = "" if event["step"] is None else f"step {event['step']:,}  "
    return f"{clock}  {event['kind']:10}  {step}{pairs(event['data'])}"


def tell_end(screen: Screen, site: Site, run: dict[str, Any]) -> None:
    """How a run ended. Raises FailedError where it did not succeed."""
    verdict, error = run["verdict"] or {}, run["error"] or {}
    if screen.as_json:
        screen.document(run)
    else:
        screen.say(f"{run['status']}  {verdict.get('title', '')}".rstrip())
        screen.say(f"{site.url}/runs/{run['id']}/")
    if run["status"] in {"failed", "cancelled"}:
        raise FailedError(
            str(error.get("message") or f"Run {run['id']} was {run['status']}."),
            str(error.get("hint") or ""),
            code=str(error.get("code") or run["status"]),
        )
