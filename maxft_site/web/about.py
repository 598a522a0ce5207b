"""Versions and licences of what the site is made of, and what lies in the data directory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

LIBRARIES = (
    "django", "channels", "channels-redis", "django-htmx", "django-ninja", "django-rq", "pydantic",
    "redis", "rq", "uvicorn", "whitenoise", "torch", "transformers", "peft", "accelerate",
    "datasets", "safetensors",
)  # fmt: skip
KINDS = {
    "datasets": "Datasets",
    "uploads": "Uploads in progress",
    "runs": "Runs: checkpoints, models, journals",
    "logs": "Logs",
}


class Library(NamedTuple):
    name: str
    version: str
    licence: str


class Stored(NamedTuple):
    kind: str
    size_bytes: int


@cache
def libraries() -> list[Library]:
    """The installed libraries that matter, then those that lie in static/vendor/."""
    return [*installed(), *vendored()]


def installed() -> Iterator[Library]:
    for name in LIBRARIES:
        try:
            about = metadata(name)
        except PackageNotFoundError:
            continue
        facts = about.json
        words = str(facts.get("license_expression") or facts.get("license") or "").splitlines()
        classifiers = facts.get("classifier", [])
        kinds = [kind for kind in classifiers if kind.startswith("License ::")]
        short = words[0] if words and len(words[0]) < 60 else ""
        licence = short or (kinds[0].rpartition(" :: ")[2] if kinds else "see the package")
        yield Library(about["Name"], about["Version"], licence)


def vendored() -> Iterator[Library]:
    bill = json.loads((settings.ASSETS_DIR / "static/vendor/sbom.cdx.json").read_text())
    for part in bill["components"]:
        yield Library(part["name"], part["version"], part["licenses"][0]["license"]["id"])


def stored() -> list[Stored]:
    """Bytes in the data directory, by kind."""
    sizes = dict.fromkeys(KINDS.values(), 0)
    database = rest = 0
    with os.scandir(settings.DATA_DIR) as entries:
        for entry in entries:
            size = size_of(Path(entry.path))
            if entry.name in KINDS:
                sizes[KINDS[entry.name]] += size
            elif entry.name.startswith("db.sqlite3"):
                database += size
            else:
                rest += size
    found = [Stored(kind, size) for kind, size in sizes.items()]
    return [*found, Stored("Database", database), Stored("Queue, keys and the rest", rest)]


def size_of(path: Path) -> int:
    """Bytes of a file or of all below a folder; a file that goes meanwhile counts nothing."""
    if not path.is_dir() or path.is_symlink():
        return bytes_of(path)
    return sum(
        bytes_of(Path(folder) / name) for folder, _, names in os.walk(path) for name in names
    )


def bytes_of(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
