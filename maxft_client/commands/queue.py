"""What works and waits on a site."""

from __future__ import annotations

import click

from maxft_client.site.connection import Site
from maxft_client.terminal.screen import Screen, json_option
from maxft_client.terminal.text import moment


@click.command()
@json_option
def queue(*, as_json: bool) -> None:
    """Show what works and waits, and when it will start."""
    screen = Screen(as_json=as_json)
    found = Site().get("/queue")
    if as_json:
        screen.document(found)
        return
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
