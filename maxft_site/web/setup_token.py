"""The key of the first visit: printed on the console, good for making the owner's account once."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from django.contrib.auth.models import User

from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.columns.keys import digest_of

FILE = "setup_token"


class SetupTokenError(FineTuneError):
    """The address of the first visit is wrong, old or used."""

    code = "setup_token"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "This address has been used or is out of date.",
            "`maxft up` and `maxft prepare` print a new one: run one of them again.",
        )


def has_owner() -> bool:
    return User.objects.filter(is_superuser=True).exists()


def make(data_dir: Path) -> str | None:
    """A new token in place of an older one, or None where the site has its owner."""
    path = data_dir / FILE
    if has_owner():
        path.unlink(missing_ok=True)
        return None
    token = secrets.token_urlsafe(32)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(part, flags, stat.S_IRUSR | stat.S_IWUSR), "w") as file:
        file.write(digest_of(token))
    part.replace(path)
    return token


def check(data_dir: Path, token: str) -> None:
    """Raise SetupTokenError unless `token` is the one that waits for its visitor."""
    try:
        kept = (data_dir / FILE).read_text()
    except FileNotFoundError:
        raise SetupTokenError from None
    if not secrets.compare_digest(kept, digest_of(token)):
        raise SetupTokenError


def use_up(data_dir: Path, token: str) -> None:
    """Take the token out of the world; of two visitors at once only one gets through."""
    check(data_dir, token)
    try:
        (data_dir / FILE).unlink()
    except FileNotFoundError:
        raise SetupTokenError from None
