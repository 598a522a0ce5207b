"""What is done with a run: stopped, paused, ordered, and made more of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from maxft_client.commands.run_config import set_options
from maxft_client.commands.run_facts import act, reference
from maxft_client.errors import ConfigurationError
from maxft_client.site.connection import Site
from maxft_client.site.finding import find
from maxft_client.terminal.screen import Screen, json_option
from maxft_client.terminal.text import figure

WAYS = ("checkpoint", "smaller_batch", "anew")
LENGTHS = {
    "epochs": "num_train_epochs", "steps": "max_steps", "more_epochs": "epochs",
    "more_steps": "steps",
}  # fmt: skip
"""Options of `extend`, and what the API calls them."""
EPOCHS, STEPS = click.FloatRange(0, 1000, min_open=True), click.IntRange(1, 10_000_000)


@click.command()
@reference
@click.option("--save", is_flag=True, help="Keep the model as it is then.")
@json_option
def stop(*, run: str, save: bool, as_json: bool) -> None:
    """Stop RUN."""
    act(run, "cancel", {"save": save}, as_json=as_json)


@click.command()
@reference
@json_option
def pause(*, run: str, as_json: bool) -> None:
    """Pause RUN: a checkpoint is saved, and the device is free."""
    act(run, "pause", None, as_json=as_json)


@click.command()
@reference
@json_option
def resume(*, run: str, as_json: bool) -> None:
    """Go on with RUN, which is paused."""
    act(run, "resume", None, as_json=as_json)


@click.command()
@reference
@click.option("--way", type=click.Choice(WAYS), help="Without it, what fits the cause.")
@json_option
def retry(*, run: str, way: str | None, as_json: bool) -> None:
    """Try again what RUN was to do, as a new run.

    checkpoint goes on from its last one, smaller_batch takes half the batch with twice the
    accumulation, anew begins again.
    """
    act(run, "retry", {"way": way}, as_json=as_json, is_repeatable=True)


@click.command()
@reference
@click.option("--epochs", type=EPOCHS, help="In all.")
@click.option("--steps", type=STEPS, help="In all.")
@click.option("--more-epochs", type=EPOCHS, help="More than it has.")
@click.option("--more-steps", type=STEPS, help="More than it has.")
@click.option("--preview", is_flag=True, help="Only say what would become of it.")
@json_option
def extend(*, run: str, preview: bool, as_json: bool, **lengths: float | None) -> None:
    """RUN for longer, as a new run from its last checkpoint. Give one length."""
    given = {LENGTHS[name]: value for name, value in lengths.items() if value is not None}
    if len(given) != 1:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in LENGTHS)
        raise click.UsageError(f"Give one length: {named}.")
    if not preview:
        act(run, "extend", given, as_json=as_json, is_repeatable=True)
        return
    screen, site = Screen(as_json=as_json), Site()
    found = site.post(f"/runs/{find(site, 'runs', run)['id']}/extend/preview", given)
    if as_json:
        screen.document(found)
    else:
        screen.facts({name.replace("_", " "): figure(value) for name, value in found.items()})


@click.command("continue")
@reference
@click.argument("overrides", nargs=-1, metavar="[section.option=value]...")
@click.option("--dataset", required=True, help="Number or name of the new data.")
@json_option
def continue_(*, run: str, overrides: tuple[str, ...], dataset: str, as_json: bool) -> None:
    """Train the model of RUN further on other data, as a new run with the same options."""
    changes: dict[str, Any] = {}
    set_options(changes, overrides)
    body = {"dataset": find(Site(), "datasets", dataset)["id"], "config": changes}
    act(run, "continue", body, as_json=as_json, is_repeatable=True)


@click.command()
@reference
@click.argument("other", required=False, metavar="[OTHER]")
@click.option("--base", is_flag=True, help="Start from its base model.")
@click.option("--anyway", is_flag=True, help="From what the run that it waits for has left.")
@json_option
def after(*, run: str, other: str | None, base: bool, anyway: bool, as_json: bool) -> None:
    """Say what RUN, which waits, starts from: the model of OTHER, once that is there."""
    if (other is not None) + base + anyway != 1:
        raise click.UsageError("Give one: another run, --base or --anyway.")
    before = find(Site(), "runs", other)["id"] if other is not None else None
    act(run, "after", {"run": before, "anyway": anyway}, as_json=as_json)


@click.command("start-at")
@reference
@click.argument("time", metavar="TIME")
@json_option
def start_at(*, run: str, time: str, as_json: bool) -> None:
    """Let RUN, which waits, start no earlier than TIME: 2030-01-31T22:00, or now."""
    when = None if time == "now" else instant(time)
    act(run, "start_at", {"start_at": when}, as_json=as_json)


@click.command()
@reference
@click.option("--before", metavar="OTHER", help="Another waiting run; without it, behind all.")
@json_option
def move(*, run: str, before: str | None, as_json: bool) -> None:
    """Move RUN among your runs that wait."""
    site = Site()
    other = find(site, "runs", before)["id"] if before is not None else None
    ask_queue(site, run, "move", {"before": other}, as_json=as_json)


@click.command()
@reference
@click.option("--in-turn", is_flag=True, help="Take that back.")
@json_option
def first(*, run: str, in_turn: bool, as_json: bool) -> None:
    """Put RUN before everybody's. Owners of the site may."""
    ask_queue(Site(), run, "priority", {"first": not in_turn}, as_json=as_json)


def ask_queue(site: Site, run: str, verb: str, body: object, *, as_json: bool) -> None:
    """What is done in the queue is answered with the queue."""
    from maxft_client.commands.queue import show_queue

    asked = find(site, "runs", run)
    show_queue(Screen(as_json=as_json), site.post(f"/runs/{asked['id']}/{verb}", body))


def instant(text: str) -> str:
    """A time with its offset from UTC, which is that of this machine where none is given. Raises
    ConfigurationError."""
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError:
        hint = "Write 2030-01-31T22:00, or with an offset 2030-01-31T22:00+01:00."
        raise ConfigurationError(f"{text!r} is no time.", hint) from None


COMMANDS = (stop, pause, resume, retry, extend, continue_, after, start_at, move, first)
