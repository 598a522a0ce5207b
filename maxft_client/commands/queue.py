"""What works and waits on a site."""

from __future__ import annotations

from typing import Any

import click

from maxft_client.site.connection import Site
from maxft_client.terminal.screen import Screen, json_option
from maxft_client.terminal.text import moment


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def queue(context: click.Context, *, as_json: bool) -> None:
    """Show what works and waits, and when it will start; pause it, and open it again."""
    if context.invoked_subcommand is None:
        show_queue(Screen(as_json=as_json), Site().get("/queue"))


kind_option = click.option(
    "--kind", type=click.Choice(("cpu", "cuda")), help="Of device; without it, everything."
)


@queue.command()
@kind_option
@click.option("--why", default="", help="Said on the page Queue.")
@json_option
def pause(*, kind: str | None, why: str, as_json: bool) -> None:
    """Take nothing new; what runs goes on. Owners of the site may."""
    found = Site().post("/queue/pause", {"kind": kind or "", "why": why})
    show_queue(Screen(as_json=as_json), found)


@queue.command()
@kind_option
@json_option
def resume(*, kind: str | None, as_json: bool) -> None:
    """Take new runs again."""
    show_queue(Screen(as_json=as_json), Site().post("/queue/resume", {"kind": kind or ""}))


def show_queue(screen: Screen, found: dict[str, Any]) -> None:
    if screen.as_json:
        screen.document(found)
        return
    for stop in found["paused"]:
        kind, why = stop["kind"] or "everything", f": {stop['why']}" if stop["why"] else ""
        screen.say(f"paused  {kind} by {stop['by']} since {moment(stop['since'])}{why}")
    screen.table(
        ("lane", "kind", "workers", "running"),
        [
            (
                lane["name"],
                lane["kind"],
                lane["workers"],
                ", ".join(f"{run['id']} {run['name']}" for run in lane["running"])
                + (f" and {lane['others']} of others" if lane["others"] else ""),
            )
            for lane in found["lanes"]
        ],
        "No worker is up.",
    )
    screen.say("")
    screen.table(
        ("place", "run", "name", "owner", "start", "why it waits"),
        [
            (
                row["position"],
                row["id"],
                row["name"],
                row["owner"],
                moment(row["expected_start"]),
                row["why"],
            )
            for row in found["waiting"]
        ],
        "No run of yours waits.",
    )
    if found["others"]:
        screen.note(f"{found['others']} runs of other people wait too.")
    if found["later"]:
        screen.say("")
        screen.table(
            ("run", "name", "owner", "not before", "why it waits"),
            [
                (row["id"], row["name"], row["owner"], moment(row["start_at"]), row["why"])
                for row in found["later"]
            ],
            "",
        )
