"""Runs of a site: listed, started, shown, and what is done with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from maxft_client.commands.run_config import read_config, section
from maxft_client.commands.run_facts import reference, tell
from maxft_client.commands.run_life import COMMANDS, instant
from maxft_client.commands.watching import tell_end, watch
from maxft_client.site.connection import Site
from maxft_client.site.finding import find
from maxft_client.terminal.screen import Screen, json_option
from maxft_client.terminal.text import duration, figure, moment

YAML_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
COLUMNS = ("id", "name", "status", "step", "of", "left", "loss", "created")


@click.group()
def runs() -> None:
    """List, start and show runs, and whatever becomes of them.

    RUN is the number of a run or its name.
    """


for command in COMMANDS:
    runs.add_command(command)


@runs.command("list")
@click.option("--query", help='Words of the name, and conditions: "lr>1e-4 method:lora loss<2".')
@click.option("--status", help="Such as queued, running, succeeded.")
@click.option("--sort", help="run, name, status, loss, time, …; with a minus the largest first.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
def list_(
    *, query: str | None, status: str | None, sort: str | None, limit: int, as_json: bool
) -> None:
    """List runs, the newest first."""
    screen = Screen(as_json=as_json)
    found = Site().items("/runs", limit, query=query, status=status, sort=sort)
    if as_json:
        screen.document(found)
    else:
        screen.table(COLUMNS, map(row_of, found["items"]), "No runs: maxft runs start FILE.")


def row_of(run: dict[str, Any]) -> tuple[object, ...]:
    steps = (figure(run["step"]), figure(run["total_steps"] or None), duration(run["eta_seconds"]))
    loss = figure(run["metrics"].get("loss"))
    return (run["id"], run["name"], run["status"], *steps, loss, moment(run["created"]))


@runs.command()
@click.argument("file", type=YAML_FILE)
@click.argument("overrides", nargs=-1, metavar="[section.option=value]...")
@click.option("--dataset", help="Number or name; in the place of data.dataset.")
@click.option("--name", help="Of the run.")
@click.option("--after", metavar="RUN", help="Start from its model, once that is there.")
@click.option("--start-at", metavar="TIME", help="Not before: 2030-01-31T22:00, here or +01:00.")
@click.option(
    "--then",
    "followers",
    multiple=True,
    type=YAML_FILE,
    metavar="FILE",
    help="Another run, from the model of the one before; may be given several times.",
)
@click.option("--follow", is_flag=True, help="Watch it, the last of a chain, until it has ended.")
@json_option
def start(
    *,
    file: Path,
    overrides: tuple[str, ...],
    dataset: str | None,
    followers: tuple[Path, ...],
    follow: bool,
    as_json: bool,
    **given: str | None,
) -> None:
    """Start the run that FILE (YAML or JSON) configures; the page New run shows such files.

    With --follow, Ctrl-C stops watching; the run goes on.
    """
    screen, site = Screen(as_json=as_json), Site()
    config = read_config(file, overrides)
    chain = [read_config(follower, ()) for follower in followers]
    if given["name"] is not None:
        config["name"] = given["name"]
    if dataset is not None:
        section(config, "data")["dataset"] = find(site, "datasets", dataset)["id"]
    after, time = given["after"], given["start_at"]
    later = {"after": find(site, "runs", after)["id"] if after else None}
    run = post_run(site, config, later | {"start_at": instant(time) if time else None})
    begun = [run]
    for config in chain:
        run = post_run(site, config, {"after": run["id"]})
        begun.append(run)
    if not (as_json and follow):
        for one in begun:
            tell(screen, site, one)
    if follow:
        tell_end(screen, site, watch(screen, site, run["id"]))


def post_run(site: Site, config: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    query = urlencode({name: value for name, value in later.items() if value is not None})
    run: dict[str, Any] = site.post(f"/runs?{query}", config, is_repeatable=True)
    return run


@runs.command()
@reference
@json_option
def show(*, run: str, as_json: bool) -> None:
    """Show RUN as it is now."""
    site = Site()
    tell(Screen(as_json=as_json), site, find(site, "runs", run))


@runs.command()
@reference
@json_option
def follow(*, run: str, as_json: bool) -> None:
    """Watch RUN until it has ended. Ctrl-C stops watching; the run goes on."""
    screen, site = Screen(as_json=as_json), Site()
    tell_end(screen, site, watch(screen, site, find(site, "runs", run)["id"]))


@runs.command()
@reference
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def delete(*, run: str, yes: bool, as_json: bool) -> None:
    """Delete RUN with its model. The site can restore both for seven days."""
    screen, site = Screen(as_json=as_json), Site()
    found = find(site, "runs", run)
    if not yes and not as_json:
        click.confirm(f"Delete run {found['id']} with its model?", abort=True, err=True)
    site.delete(f"/runs/{found['id']}")
    if as_json:
        screen.document({"deleted": found["id"]})
    else:
        screen.say(f"Run {found['id']} is deleted.")
