"""Download of a file that goes on where it broke off, and is checked before it has its name."""

from __future__ import annotations

import base64
import glob
import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import httpx2

from maxft_client.errors import LocalFileError, UnreachableError
from maxft_client.site.connection import PAUSES, Site

PIECE_BYTES = 2**18
TAG = re.compile(r'"([\w-]{1,80})"')
"""A tag (ETag) that can stand in a file's name."""


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


Report = Callable[[int, int | None], None]
"""Is told how many bytes have come, and of how many, where that is known."""


def pull(site: Site, path: str, target: Path, report: Report) -> str:
    """Fetch `/api/v1` + `path` as the file `target`, which must not be there yet.

    Returns its SHA-256. Raises LocalFileError, also where it is not the one that the site names.
    """
    if target.exists():
        raise LocalFileError(f"{target} is there already.", "Name another file by --output.")
    failures = 0
    while True:
        try:
            return fetch(site, path, target, report)
        except UnreachableError:
            if failures == len(PAUSES):
                raise
            time.sleep(PAUSES[failures])
            failures += 1
        except OSError as error:
            raise LocalFileError(f"{target} can't be written: {error.strerror}.") from None


def fetch(site: Site, path: str, target: Path, report: Report) -> str:
    """One try, from where the one before broke off."""
    headers = {"Accept-Encoding": "identity"}
    begun = beginning_of(target)
    if begun is not None:
        part, tag, have = begun
        # its last byte comes again: of what is there whole, nothing else could be asked for
        headers |= {"Range": f"bytes={have - 1}-", "If-Range": tag}
    with site.stream("GET", f"/api/v1{path}", headers=headers) as answer:
        if begun is not None and answer.status_code == 206:
            os.truncate(part, have - 1)
            return receive(answer, part, target, report)
        if begun is not None:  # it has become another file
            part.unlink()
        return receive(answer, part_of(target, answer), target, report)


def receive(answer: httpx2.Response, part: Path, target: Path, report: Report) -> str:
    """Write what comes behind what is there, then give the file its name."""
    goes_on = answer.status_code == 206
    digest: Digest = digest_of(part) if goes_on else hashlib.sha256()
    coming = length_of(answer)
    with part.open("ab" if goes_on else "wb") as file:
        total = None if coming is None else file.tell() + coming
        for piece in answer.iter_raw():
            file.write(piece)
            digest.update(piece)
            report(file.tell(), total)
        if total is not None and file.tell() != total:
            raise UnreachableError("The download broke off before its end.", "Try again.")
    return finish(part, target, digest.hexdigest(), answer)


def finish(part: Path, target: Path, sha256: str, answer: httpx2.Response) -> str:
    named = named_digest(answer)
    if named and named != sha256:
        part.unlink()
        raise LocalFileError(
            f"{target.name} was damaged on its way: its SHA-256 is {sha256}, not {named}.",
            "Fetch it again.",
        )
    part.replace(target)
    return sha256


def part_of(target: Path, answer: httpx2.Response) -> Path:
    """Where what has come lies; its name has the tag of the file, if the site can go on with it."""
    tag = TAG.fullmatch(answer.headers.get("etag", ""))
    if tag is None or answer.headers.get("accept-ranges") != "bytes":
        return target.with_name(f".{target.name}.part")
    return target.with_name(f".{target.name}.{tag[1]}.part")


def beginning_of(target: Path) -> tuple[Path, str, int] | None:
    """The file that a download left which broke off, the tag of what it is the beginning of, and
    how many bytes it has."""
    for part in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        tag = f'"{part.name[len(target.name) + 2 : -5]}"'
        if TAG.fullmatch(tag) and part.stat().st_size:
            return part, tag, part.stat().st_size
    return None


def length_of(answer: httpx2.Response) -> int | None:
    said = answer.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() else None


def named_digest(answer: httpx2.Response) -> str:
    """The SHA-256 of the whole file in `Repr-Digest` (RFC 9530), in hexadecimal digits."""
    said = answer.headers.get("repr-digest", "")
    if not said.startswith("sha-256=:") or not said.endswith(":"):
        return ""
    try:
        return base64.b64decode(said[9:-1], validate=True).hex()
    except ValueError:
        return ""


def digest_of(path: Path) -> Digest:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
    return digest
