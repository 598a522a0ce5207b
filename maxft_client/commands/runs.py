"""Runs of a site: listed, started, shown, and what is done with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from maxft_client.commands.watching import tell_end, watch
from maxft_client.errors import ConfigurationError
from maxft_client.site.connection import Site
from maxft_client.site.finding import find
from maxft_client.terminal.screen import Screen, json_option
from maxft_client.terminal.text import duration, figure, moment

COLUMNS = ("id", "name", "status", "step", "of", "left", "loss", "created")
reference = click.argument("run", metavar="RUN")


@click.group()
def runs() -> None:
    """List, start, show, stop, pause, resume, extend and delete runs.

    RUN is the number of a run or its name.
    """


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
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[section.option=value]...")
@click.option("--dataset", help="Number or name; in the place of data.dataset.")
@click.option("--name", help="Of the run.")
@click.option("--follow", is_flag=True, help="Watch it until it has ended.")
@json_option
def start(
    *,
    file: Path,
    overrides: tuple[str, ...],
    dataset: str | None,
    name: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Start the run that FILE (YAML or JSON) configures; the page New run shows such files.

    With --follow, Ctrl-C stops watching; the run goes on.
    """
    screen, site = Screen(as_json=as_json), Site()
    config = read_config(file, overrides)
    if name is not None:
        config["name"] = name
    if dataset is not None:
        section(config, "data")["dataset"] = find(site, "datasets", dataset)["id"]
    run = site.post("/runs", config, is_repeatable=True)
    if not (as_json and follow):
        tell(screen, site, run)
    if follow:
        tell_end(screen, site, watch(screen, site, run["id"]))


def read_config(file: Path, overrides: tuple[str, ...]) -> dict[str, Any]:
    """A run's configuration with what is given besides. Raises ConfigurationError."""
    import yaml

    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is no YAML: {error}", "Correct it.") from None
    if not isinstance(config, dict):
        raise ConfigurationError(f"{file} holds no options.", "Such as model: {name: …}.")
    for override in overrides:
        path, equals, value = override.partition("=")
        *sections, option = path.split(".")
        if not equals or not option:
            raise ConfigurationError(f"{override!r} sets nothing.", "Write section.option=value.")
        place = config
        for name in sections:
            place = section(place, name)
        place[option] = yaml.safe_load(value)
    return config


def section(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.setdefault(name, {})
    if not isinstance(found, dict):
        raise ConfigurationError(f"{name} is no section in the file.", f"Write {name}: {{…}}.")
    return found


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


def act(run: str, verb: str, body: object, *, as_json: bool, is_repeatable: bool = False) -> None:
    site = Site()
    path = f"/runs/{find(site, 'runs', run)['id']}/{verb}"
    tell(Screen(as_json=as_json), site, site.post(path, body, is_repeatable=is_repeatable))


@runs.command()
@reference
@click.option("--save", is_flag=True, help="Keep the model as it is then.")
@json_option
def stop(*, run: str, save: bool, as_json: bool) -> None:
    """Stop RUN."""
    act(run, "cancel", {"save": save}, as_json=as_json)


@runs.command()
@reference
@json_option
def pause(*, run: str, as_json: bool) -> None:
    """Pause RUN: a checkpoint is saved, and the device is free."""
    act(run, "pause", None, as_json=as_json)


@runs.command()
@reference
@json_option
def resume(*, run: str, as_json: bool) -> None:
    """Go on with RUN, which is paused."""
    act(run, "resume", None, as_json=as_json)


@runs.command()
@reference
@json_option
def retry(*, run: str, as_json: bool) -> None:
    """The same again, as a new run."""
    act(run, "retry", None, as_json=as_json, is_repeatable=True)


@runs.command()
@reference
@click.option("--epochs", type=click.FloatRange(0, 1000, min_open=True), required=True)
@json_option
def extend(*, run: str, epochs: float, as_json: bool) -> None:
    """RUN for so many epochs in all."""
    act(run, "extend", {"num_train_epochs": epochs}, as_json=as_json, is_repeatable=True)


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
