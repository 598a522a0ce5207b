"""A run as the terminal shows it, and what is asked of one."""

from __future__ import annotations

from typing import Any

import click

from maxft_client.site.connection import Site
from maxft_client.site.finding import find
from maxft_client.terminal.screen import Screen
from maxft_client.terminal.text import duration, figure

reference = click.argument("run", metavar="RUN")


def tell(screen: Screen, site: Site, run: dict[str, Any]) -> None:
    if screen.as_json:
        screen.document(run)
        return
    error, verdict = run["error"] or {}, run["verdict"] or {}
    screen.facts(
        {
            "run": run["id"],
            "name": run["name"],
            "status": run["status"],
            "verdict": verdict.get("title"),
            "error": error.get("message"),
            "hint": error.get("hint"),
            "waits": run["waiting_for"],
            "step": f"{run['step']:,} of {run['total_steps']:,}" if run["total_steps"] else "",
            "left": duration(run["eta_seconds"]),
            **{name: figure(value) for name, value in run["metrics"].items() if numeric(value)},
            "model": run["model"],
            "page": f"{site.url}/runs/{run['id']}/",
        }
    )
    for finding in run["advice"]:
        screen.say(f"advice  {finding.get('message', '')}")


def numeric(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def act(run: str, verb: str, body: object, *, as_json: bool, is_repeatable: bool = False) -> None:
    site = Site()
    path = f"/runs/{find(site, 'runs', run)['id']}/{verb}"
    tell(Screen(as_json=as_json), site, site.post(path, body, is_repeatable=is_repeatable))
