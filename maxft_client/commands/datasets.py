"""Datasets of a site: listed, pushed, checked, pulled."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from maxft_client.errors import FailedError
from maxft_client.site.connection import Site
from maxft_client.site.downloading import pull as download
from maxft_client.site.finding import find
from maxft_client.site.uploading import push as upload
from maxft_client.terminal.screen import Screen, json_option
from maxft_client.terminal.text import figure, moment, one_line, size

COLUMNS = ("id", "name", "version", "status", "rows", "bad", "size", "created")
CHECKED = {"ready", "invalid", "needs_mapping"}
LOOK_SECONDS = 0.5
FORBIDDEN = '/\\:*?"<>|'


@click.group()
def datasets() -> None:
    """List, push, check and pull datasets."""


@datasets.command("list")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
def list_(*, limit: int, as_json: bool) -> None:
    """List the newest datasets."""
    screen = Screen(as_json=as_json)
    found = Site().items("/datasets", limit)
    if as_json:
        screen.document(found)
        return
    screen.table(COLUMNS, map(row_of, found["items"]), "No datasets yet: maxft datasets push FILE.")


def row_of(dataset: dict[str, Any]) -> tuple[object, ...]:
    names = ("id", "name", "version", "status")
    counts = (figure(dataset["rows"]), figure(dataset["bad_rows"]), size(dataset["size_bytes"]))
    return (*(dataset[name] for name in names), *counts, moment(dataset["created"]))


@datasets.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", default="", help="Of the dataset; else as the file's.")
@click.option("--wait/--no-wait", default=True, help="Until it is checked.", show_default=True)
@json_option
def push(*, file: Path, name: str, wait: bool, as_json: bool) -> None:
    """Upload FILE and have it checked.

    An upload that broke off goes on where it ended when the same command is given again.
    """
    screen, site = Screen(as_json=as_json), Site()
    with screen.transfer() as progress:
        bar = progress.add_task(file.name, total=file.stat().st_size)
        made = upload(site, file, name, lambda done: progress.update(bar, completed=done))
    if wait:
        made = wait_for_check(site, made["id"])
    tell(screen, site, made, findings=10)


def wait_for_check(site: Site, dataset_id: int) -> dict[str, Any]:
    while True:
        dataset: dict[str, Any] = site.get(f"/datasets/{dataset_id}")
        if dataset["status"] in CHECKED:
            return dataset
        time.sleep(LOOK_SECONDS)


@datasets.command()
@click.argument("dataset")
@click.option("--findings", type=click.IntRange(0), default=50, show_default=True, metavar="N")
@json_option
def check(*, dataset: str, findings: int, as_json: bool) -> None:
    """Show what the check of DATASET (number or name) found; waits until it is through."""
    screen, site = Screen(as_json=as_json), Site()
    tell(screen, site, wait_for_check(site, find(site, "datasets", dataset)["id"]), findings)


def tell(screen: Screen, site: Site, dataset: dict[str, Any], findings: int) -> None:
    """A dataset and its first findings. Raises FailedError where it can't be trained on."""
    found = {"items": [], "total": 0}
    if findings and dataset["status"] in CHECKED:
        found = site.items(f"/datasets/{dataset['id']}/findings", findings)
    if screen.as_json:
        screen.document({**dataset, "first_findings": found["items"]})
    else:
        show(screen, dataset, found)
    if dataset["status"] in {"invalid", "needs_mapping"}:
        error = dataset["error"] or {}
        hint = str(error.get("hint", ""))
        if dataset["status"] == "needs_mapping":
            hint = f"Say which column is which: {site.url}/datasets/{dataset['id']}/mapping/"
        raise FailedError(
            str(error.get("message") or "It can't be trained on as it is."), hint,
            code=str(error.get("code") or dataset["status"]),
        )  # fmt: skip


def show(screen: Screen, dataset: dict[str, Any], found: dict[str, Any]) -> None:
    screen.facts(
        {
            "dataset": dataset["id"],
            "name": dataset["name"],
            "status": dataset["status"],
            "format": (dataset["format"] or {}).get("name", ""),
            "rows": figure(dataset["rows"]),
            "bad rows": figure(dataset["bad_rows"]),
            "size": size(dataset["size_bytes"]),
        }
    )
    if not found["items"]:
        return
    screen.say("")
    rows = [(f["row"] or "", f["level"], f["code"], f["message"]) for f in found["items"]]
    screen.table(("row", "level", "finding", "what"), rows)
    if found["total"] > len(rows):
        screen.note(f"{found['total'] - len(rows):,} more: maxft datasets check --findings N")


@datasets.command()
@click.argument("dataset")
@click.option("--output", type=click.Path(path_type=Path), help="The file to write; must be new.")
@click.option("--version", type=click.IntRange(1), help="Else the newest.")
@click.option("--rows", is_flag=True, help="The rows as they are trained on, as JSON Lines.")
@json_option
def pull(
    *, dataset: str, output: Path | None, version: int | None, rows: bool, as_json: bool
) -> None:
    """Fetch DATASET (number or name): the file as it was uploaded, its SHA-256 verified.

    A download that broke off goes on where it ended when the same command is given again.
    """
    screen, site = Screen(as_json=as_json), Site()
    found = find(site, "datasets", dataset)
    target = output or Path(f"{safe_name(found['name'])}.jsonl" if rows else own_name(found))
    what = "rows.jsonl" if rows else "download"
    query = f"?version={version}" if version else ""
    with screen.transfer() as progress:
        bar = progress.add_task(target.name, total=None)
        sha256 = download(
            site,
            f"/datasets/{found['id']}/{what}{query}",
            target,
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
    if as_json:
        screen.document({"dataset": found["id"], "file": str(target), "sha256": sha256})
    else:
        screen.say(str(target))


def own_name(dataset: dict[str, Any]) -> str:
    """The name that the file had, as a name in this folder."""
    return safe_name(dataset["file_name"] or dataset["name"])


def safe_name(name: str) -> str:
    """A name of the site as one that leads nowhere else."""
    plain = "".join("_" if char in FORBIDDEN else char for char in one_line(name)).strip(". ")
    return plain[:150] or "dataset"
