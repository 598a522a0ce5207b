"""The log of a run."""

from __future__ import annotations

import click

from maxft_client.site.connection import Site
from maxft_client.site.finding import find
from maxft_client.site.following import log_lines
from maxft_client.terminal.screen import Screen, json_option


@click.command()
@click.argument("run")
@click.option("--follow", is_flag=True, help="Wait for more until the run has ended.")
@json_option
def logs(*, run: str, follow: bool, as_json: bool) -> None:
    """Show the log of RUN (number or name), of its newest attempt."""
    screen, site = Screen(as_json=as_json), Site()
    run_id = find(site, "runs", run)["id"]
    for attempt, line in log_lines(site, run_id, follow=follow):
        if as_json:
            screen.document({"attempt": attempt, "line": line})
        else:
            screen.say(line)
