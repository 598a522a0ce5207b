"""Runs beside each other."""

from __future__ import annotations

from typing import Any

import click

from maxft_client.site.connection import Site
from maxft_client.site.finding import find
from maxft_client.terminal.screen import Screen, json_option
from maxft_client.terminal.text import figure


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...")
@click.option("--baseline", help="Number or name; else the first.")
@json_option
def compare(*, runs: tuple[str, ...], baseline: str | None, as_json: bool) -> None:
    """Show two to ten RUNs beside each other: where their options differ, and their metrics."""
    screen, site = Screen(as_json=as_json), Site()
    numbers = {reference: find(site, "runs", reference)["id"] for reference in runs}
    pinned = find(site, "runs", baseline)["id"] if baseline else None
    ids = ",".join(map(str, dict.fromkeys(numbers.values())))
    found = site.get("/runs/compare", ids=ids, baseline=pinned)
    if as_json:
        screen.document(found)
        return
    heads = [f"{run['id']} {run['name']}" for run in found["runs"]]
    keys = [str(run["id"]) for run in found["runs"]]
    screen.table(
        ["option", *heads],
        [[row["title"], *map(row["values"].get, keys)] for row in found["differences"]],
        "Their options are the same.",
    )
    screen.say("")
    screen.table(
        ["metric", *heads],
        [
            [row["label"], *(cell(row["values"].get(key)) for key in keys)]
            for row in found["metrics"]
        ],
        "Nothing was measured of them.",
    )
    for problem in found["problems"]:
        screen.note(problem)


def cell(measured: dict[str, Any] | None) -> str:
    """A figure, and how much better or worse than the baseline's it is."""
    if not measured or measured["value"] is None:
        return ""
    difference = measured["difference"]
    if not difference:
        return figure(measured["value"])
    return f"{figure(measured['value'])} ({difference['value']:+.3g}, {difference['meaning']})"
