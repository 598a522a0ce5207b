"""Keys of sites, kept in the platform's folder for configuration, for this user's eyes only.

`MAXFT_URL` and `MAXFT_TOKEN` win over what is kept. A key goes to the site that it was given for
and to no other.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import platformdirs

from maxft_client.errors import ClientError, KeyRefusedError, LocalFileError

SIGN_IN = "Sign in: maxft login URL (a key is made on the site's page Settings)."
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Credentials(NamedTuple):
    """Where a site is, and the key that opens it."""

    url: str
    token: str


def config_path() -> Path:
    return platformdirs.user_config_path("maxft", appauthor=False) / "client.json"


def normal_url(text: str) -> str:
    """An address as it is kept: with a scheme, without a path's last slash. Raises ClientError."""
    url = text.strip()
    if "://" not in url:
        host = url.partition("/")[0].rpartition(":")[0] or url.partition("/")[0]
        url = f"{'http' if host.strip('[]') in LOOPBACK else 'https'}://{url}"
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ClientError(f"{text} is no address of a site.", "Such as https://maxft.example.com.")
    if parts.username or parts.password:
        raise ClientError("The address holds a name or a password.", "The key is asked for.")
    return url.rstrip("/")


def is_open_to_listeners(url: str) -> bool:
    """Whether a key would go over a network as plain text."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in LOOPBACK


def current() -> Credentials:
    """The site and key to use. Raises KeyRefusedError where there is none."""
    kept = read()
    url = os.environ.get("MAXFT_URL") or kept["current"]
    if not url:
        raise KeyRefusedError("No site is chosen.", SIGN_IN)
    url = normal_url(url)
    token = os.environ.get("MAXFT_TOKEN") or kept["tokens"].get(url, "")
    if not token:
        raise KeyRefusedError(f"There is no key for {url}.", SIGN_IN)
    return Credentials(url, token.strip())


def keep(credentials: Credentials) -> None:
    """Remember a key, and that its site is the one to use."""
    kept = read()
    kept["current"], kept["tokens"][credentials.url] = credentials
    write(kept)


def forget(url: str | None = None) -> str:
    """Forget the key of a site, else of the one in use. Returns the site's address."""
    kept = read()
    url = normal_url(url) if url else kept["current"]
    if url not in kept["tokens"]:
        raise KeyRefusedError("There is no key to forget.", "maxft login URL keeps one.")
    del kept["tokens"][url]
    if kept["current"] == url:
        kept["current"] = next(iter(kept["tokens"]), "")
    write(kept)
    return url


def read() -> dict[str, Any]:
    path = config_path()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"current": "", "tokens": {}}
    except (OSError, ValueError) as error:
        raise LocalFileError(f"{path} can't be read: {error}", "Delete it and sign in.") from None
    if not isinstance(found, dict) or not isinstance(found.get("tokens"), dict):
        raise LocalFileError(f"{path} holds no keys.", "Delete it and sign in.")
    return {"current": str(found.get("current", "")), "tokens": found["tokens"]}


def write(kept: dict[str, Any]) -> None:
    """At once or not at all, and never readable for others, not even for a moment."""
    path = config_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = path.with_name(f"{path.name}.{os.getpid()}")
        staged.unlink(missing_ok=True)
        file = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as handle:
            json.dump(kept, handle, indent=1)
        staged.replace(path)
    except OSError as error:
        raise LocalFileError(f"{path} can't be written: {error}", "") from None
