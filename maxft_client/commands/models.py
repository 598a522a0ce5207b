"""Models of a site: listed, and fetched in a form for use elsewhere."""

from __future__ import annotations

import json
import time
import zipfile
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import click

from maxft_client.errors import FailedError, LocalFileError, UnreachableError
from maxft_client.site.connection import Site
from maxft_client.site.downloading import pull
from maxft_client.site.finding import find
from maxft_client.terminal.screen import Screen, json_option
from maxft_client.terminal.text import figure, moment, one_line, size

COLUMNS = ("id", "name", "kind", "run", "parameters", "size", "created")
KINDS = ("adapter", "merged", "onnx", "gguf")
ENDED = {"ready", "failed", "cancelled"}
LOOK_SECONDS = 1.0
PIECE_BYTES = 2**20


@click.group()
def models() -> None:
    """List models, and export them. MODEL is a number or a name."""


@models.command("list")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
def list_(*, limit: int, as_json: bool) -> None:
    """List base and tuned models, the newest first."""
    screen = Screen(as_json=as_json)
    found = Site().items("/models", limit)
    if as_json:
        screen.document(found)
    else:
        screen.table(COLUMNS, map(row_of, found["items"]), "No models.")


def row_of(model: dict[str, Any]) -> tuple[object, ...]:
    about = (figure(model["parameters"]), size(model["size_bytes"]), moment(model["created"]))
    return (model["id"], model["name"], model["kind"], figure(model["run"]), *about)


@models.command()
@click.argument("model")
@click.argument("options", nargs=-1, metavar="[option=value]...")
@click.option("--kind", required=True, help=f"{', '.join(KINDS)}, or a form that was installed.")
@click.option("--output", type=click.Path(path_type=Path), help="The archive; must be new.")
@json_option
def export(
    *, model: str, options: tuple[str, ...], kind: str, output: Path | None, as_json: bool
) -> None:
    """Have MODEL written in another form, and fetch it as a ZIP archive.

    Each file in it is verified by the SHA-256 of its manifest. A download that broke off goes on
    where it ended when it is asked for by the number of the export: maxft models download.
    """
    screen, site = Screen(as_json=as_json), Site()
    if output is not None and output.exists():
        raise LocalFileError(f"{output} is there already.", "Name another file by --output.")
    found = find(site, "models", model)
    body = {"format": kind, **dict(map(option_of, options))}
    made = site.post(f"/models/{found['id']}/exports", body, is_repeatable=True)
    screen.note(f"Export {made['id']} is being made.")
    try:
        fetch(screen, site, wait(site, made["id"]), output)
    except UnreachableError as error:
        raise UnreachableError(
            error.message, f"Go on: maxft models download {made['id']}"
        ) from None


@models.command()
@click.argument("export_id", type=click.IntRange(1), metavar="EXPORT")
@click.option("--output", type=click.Path(path_type=Path), help="The archive; must be new.")
@json_option
def download(*, export_id: int, output: Path | None, as_json: bool) -> None:
    """Fetch the export with the number EXPORT."""
    screen, site = Screen(as_json=as_json), Site()
    fetch(screen, site, wait(site, export_id), output)


def option_of(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r} sets nothing: write option=value.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def wait(site: Site, export_id: int) -> dict[str, Any]:
    """An export once it is ready. Raises FailedError where it failed."""
    while True:
        made: dict[str, Any] = site.get(f"/exports/{export_id}")
        if made["status"] in ENDED:
            break
        time.sleep(LOOK_SECONDS)
    if made["status"] != "ready":
        error = made["error"] or {"message": "The export was stopped."}
        raise FailedError(
            str(error.get("message") or "The export failed."),
            str(error.get("hint") or ""),
            code=str(error.get("code") or ""),
        )
    return made


def fetch(screen: Screen, site: Site, made: dict[str, Any], output: Path | None) -> None:
    target = output or Path(f"{one_line(made['format']).replace('/', '_')}-{made['id']}.zip")
    with screen.transfer() as progress:
        bar = progress.add_task(target.name, total=made["size_bytes"])
        pull(
            site,
            f"/exports/{made['id']}/download",
            target,
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
    verify(target, made["manifest"] or {})
    if screen.as_json:
        screen.document({**made, "file": str(target)})
        return
    screen.say(str(target))


def verify(archive: Path, manifest: dict[str, Any]) -> None:
    """Raises LocalFileError where a file of the archive is not the one that the manifest names."""
    try:
        with zipfile.ZipFile(archive) as opened:
            # they lie side by side, in the folder that programs expect them in
            places = {PurePosixPath(name).name: name for name in opened.namelist()}
            for facts in manifest["files"]:
                digest = sha256()
                with opened.open(places[facts["name"]]) as file:
                    while piece := file.read(PIECE_BYTES):
                        digest.update(piece)
                if digest.hexdigest() != facts["sha256"]:
                    raise zipfile.BadZipFile(f"{facts['name']} is not as its manifest says")
    except (zipfile.BadZipFile, KeyError) as error:
        raise LocalFileError(
            f"{archive} is damaged: {error}.", "Delete it; fetch it again."
        ) from None
