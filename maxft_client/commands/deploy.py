"""Deployments of a site: models that programs reach under a name, with keys of their own."""

from __future__ import annotations

from typing import Any

import click

from maxft_client.site.connection import Site
from maxft_client.site.finding import find
from maxft_client.terminal.screen import Screen, json_option
from maxft_client.terminal.text import figure, moment

COLUMNS = ("id", "name", "status", "model", "family", "created")
USED = ("day", "requests", "refused", "errors", "prompt tokens", "completion tokens")
reference = click.argument("deployment", metavar="DEPLOYMENT")
days_option = click.option(
    "--days", type=click.IntRange(1, 3650), help="The key ends then; without it, when revoked."
)


@click.command()
@click.argument("model")
@click.option("--name", required=True, help="What programs call the model.")
@click.option("--latest", is_flag=True, help="The newest model of its family answers.")
@click.option("--requests-per-minute", type=click.IntRange(1))
@click.option("--tokens-per-minute", type=click.IntRange(0))
@click.option("--concurrent", type=click.IntRange(1))
@click.option("--no-log", is_flag=True, help="Write down no requests.")
@days_option
@json_option
def deploy(
    *,
    model: str,
    name: str,
    latest: bool,
    no_log: bool,
    days: int | None,
    as_json: bool,
    **limits: Any,
) -> None:
    """Let programs reach MODEL under a name, and make the first key.

    MODEL is a number or a name. The key is shown this once.
    """
    screen, site = Screen(as_json=as_json), Site()
    found = find(site, "models", model)
    given = {option: value for option, value in limits.items() if value is not None}
    body = {"model": found["id"], "name": name, "latest": latest, "keeps_log": not no_log, **given}
    made = site.post("/deployments", body, is_repeatable=True)
    key = site.post(f"/deployments/{made['id']}/keys", {"name": "first", "days": days})
    tell(screen, {**made, "key": key["key"]})


def tell(screen: Screen, made: dict[str, Any]) -> None:
    """What a program needs to know of a deployment."""
    if screen.as_json:
        screen.document(made)
        return
    screen.facts(
        {"base_url": made["base_url"], "model": made["name"], "status": made["status"]}
        | {"key": made.get("key")}
    )


@click.group()
def deployments() -> None:
    """List, show, stop, start and delete deployments, and make keys.

    DEPLOYMENT is a number or a name. A new one: maxft deploy MODEL --name NAME.
    """


@deployments.command("list")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
def list_(*, limit: int, as_json: bool) -> None:
    """List deployments, the newest first."""
    screen = Screen(as_json=as_json)
    found = Site().items("/deployments", limit)
    if as_json:
        screen.document(found)
    else:
        nothing = "No deployments: maxft deploy MODEL --name NAME."
        screen.table(COLUMNS, map(row_of, found["items"]), nothing)


def row_of(one: dict[str, Any]) -> tuple[object, ...]:
    facts = (one["id"], one["name"], one["status"], figure(one["model"]))
    return (*facts, one["family"] or "", moment(one["created"]))


@deployments.command()
@reference
@json_option
def show(*, deployment: str, as_json: bool) -> None:
    """Show its address and state."""
    tell(Screen(as_json=as_json), find(Site(), "deployments", deployment))


def act(deployment: str, verb: str, *, as_json: bool) -> None:
    screen, site = Screen(as_json=as_json), Site()
    found = find(site, "deployments", deployment)
    tell(screen, site.post(f"/deployments/{found['id']}/{verb}", is_repeatable=True))


@deployments.command()
@reference
@json_option
def stop(*, deployment: str, as_json: bool) -> None:
    """Answer nothing more; keys and counts stay."""
    act(deployment, "stop", as_json=as_json)


@deployments.command()
@reference
@json_option
def start(*, deployment: str, as_json: bool) -> None:
    """Answer again."""
    act(deployment, "start", as_json=as_json)


@deployments.command()
@reference
@click.option("--yes", is_flag=True, help="Don't ask.")
def delete(*, deployment: str, yes: bool) -> None:
    """Delete it with its keys, counts and log, for good."""
    screen, site = Screen(as_json=False), Site()
    found = find(site, "deployments", deployment)
    if not yes:
        click.confirm(f"Delete {found['name']} with its keys?", abort=True, err=True)
    site.delete(f"/deployments/{found['id']}")
    screen.say(f"{found['name']} is deleted.")


@deployments.command()
@reference
@click.option("--name", default="key", show_default=True, help="Who or what has it.")
@days_option
@json_option
def key(*, deployment: str, name: str, days: int | None, as_json: bool) -> None:
    """Make a key, shown this once."""
    screen, site = Screen(as_json=as_json), Site()
    found = find(site, "deployments", deployment)
    made = site.post(f"/deployments/{found['id']}/keys", {"name": name, "days": days})
    screen.document(made) if as_json else screen.say(made["key"])


@deployments.command()
@reference
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True)
@json_option
def usage(*, deployment: str, days: int, as_json: bool) -> None:
    """Show what was asked, day by day."""
    screen, site = Screen(as_json=as_json), Site()
    found = find(site, "deployments", deployment)
    used = site.get(f"/deployments/{found['id']}/usage", days=days)
    if as_json:
        screen.document(used)
        return
    rows = [[day[name.replace(" ", "_")] for name in USED] for day in used["days"]]
    screen.table(USED, rows)
