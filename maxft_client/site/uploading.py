"""Upload of a file in pieces (tus 1.0) that goes on where it broke off, also in a later command.

Written on httpx2: tuspy, the one client on PyPI, was last released in 2024, needs requests, aiohttp
and tinydb, and knows SHA-1 alone, where the site checks each piece by SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx2
import platformdirs

from maxft_client.errors import ClientError, LocalFileError, UnreachableError
from maxft_client.site.answers import refusal, require_json
from maxft_client.site.connection import BUSY, PAUSES, Site, unreachable

PIECE_BYTES = 8 * 2**20
PATH = "/api/v1/datasets/uploads"
VERSION = {"Tus-Resumable": "1.0.0"}
DAMAGED, CONFLICT, LOCKED = 460, 409, 423
Report = Callable[[int], None]
"""Is told how many bytes have arrived."""


def push(site: Site, path: Path, name: str, report: Report) -> Any:
    """Upload a file and make a dataset of it: the dataset. Raises ClientError."""
    try:
        with path.open("rb") as file:
            mark = mark_of(site, path)
            address = begun(site, mark) or begin(site, path, mark)
            send_pieces(site, file, path, address, report)
            answer = site.send("POST", f"{address}/import", data={"name": name}, is_repeatable=True)
    except OSError as error:
        raise LocalFileError(f"{path} can't be read: {error.strerror}.") from None
    forget(mark)
    return require_json(answer, site.url)


def begin(site: Site, path: Path, mark: str) -> str:
    """Announce a file; the address for its pieces is remembered for a later command."""
    name = base64.b64encode(path.name.encode()).decode()
    headers = {
        **VERSION,
        "Upload-Length": str(path.stat().st_size),
        "Upload-Metadata": f"filename {name}",
    }
    answer = site.send("POST", PATH, headers=headers)
    address: str = urlsplit(answer.headers.get("location", "")).path.rstrip("/")
    if not address.startswith(PATH):
        raise UnreachableError(f"{site.url} says of no address where the file goes.", "")
    remember(mark, address)
    return address


def begun(site: Site, mark: str) -> str | None:
    """The address of an upload of this file that broke off, if the site still has it."""
    address = remembered().get(mark)
    if address is None:
        return None
    try:
        site.send("HEAD", address, headers=VERSION)
    except ClientError as error:
        if isinstance(error, UnreachableError):
            raise
        return None
    return address


def send_pieces(site: Site, file: BinaryIO, path: Path, address: str, report: Report) -> None:
    size, failures = path.stat().st_size, 0
    offset = arrived(site, address)
    report(offset)
    while offset < size:
        file.seek(offset)
        piece = file.read(PIECE_BYTES)
        if not piece:
            raise LocalFileError(f"{path} has become shorter meanwhile.", "Push it again.")
        failure = send_piece(site, address, offset, piece)
        if failure is None:
            offset, failures = offset + len(piece), 0
        else:
            if failures == len(PAUSES):
                raise failure
            time.sleep(PAUSES[failures])
            failures += 1
            offset = arrived(site, address)  # it may have arrived in part
        report(offset)


def send_piece(site: Site, address: str, offset: int, piece: bytes) -> ClientError | None:
    """Send a piece. What may go better the next time is returned, the rest raised."""
    digest = base64.b64encode(hashlib.sha256(piece).digest()).decode()
    headers = {
        **VERSION,
        "Upload-Offset": str(offset),
        "Upload-Checksum": f"sha256 {digest}",
        "Content-Type": "application/offset+octet-stream",
    }
    try:
        answer = site.http.patch(address, content=piece, headers=headers)
    except httpx2.TransportError as error:
        return unreachable(site.url, error)
    if answer.is_success:
        return None
    failure = refusal(answer, site.url)
    if answer.status_code in {DAMAGED, CONFLICT, LOCKED, 429, *BUSY}:
        return failure
    raise failure


def arrived(site: Site, address: str) -> int:
    """How many bytes the site has."""
    said = site.send("HEAD", address, headers=VERSION).headers.get("Upload-Offset", "")
    if not said.isascii() or not said.isdigit():
        raise UnreachableError(f"{site.url} does not say how much has arrived.", "")
    return int(said)


def mark_of(site: Site, path: Path) -> str:
    """Names a file as it is now, on its way to this site."""
    stat = path.stat()
    words = [site.url, str(path.resolve()), stat.st_size, stat.st_mtime_ns]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def state_path() -> Path:
    return platformdirs.user_state_path("maxft", appauthor=False) / "uploads.json"


def remembered() -> dict[str, str]:
    try:
        found = json.loads(state_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # only a help: the file is sent from its beginning
    return found if isinstance(found, dict) else {}


def remember(mark: str, address: str) -> None:
    keep({**remembered(), mark: address})


def forget(mark: str) -> None:
    keep({name: address for name, address in remembered().items() if name != mark})


def keep(uploads: dict[str, str]) -> None:
    path = state_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(json.dumps(uploads), encoding="utf-8")
