"""Notices by Apprise, which speaks to chat and push services: https://github.com/caronc/apprise.

An address of Apprise's may name any host, so only services are allowed whose hosts are fixed in its
source (`MAXFT_APPRISE_SERVICES`): nothing can be pointed at this machine or a private network. The
address holds the service's key; pages show it masked, and neither it nor what Apprise says of it
goes to a log.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING

from django.conf import settings

from jobs.notify.words import words_of
from maxaillm.dev.finetune.errors import FineTuneError

if TYPE_CHECKING:
    from jobs.models import Notice


class ServiceError(FineTuneError):
    """An address that Apprise doesn't know, or of a service that is not allowed here."""

    code = "service"
    status = 422


def is_installed() -> bool:
    return find_spec("apprise") is not None


def require_service(address: str) -> None:
    """Raises ServiceError."""
    scheme = address.partition("://")[0].strip().lower()
    allowed = settings.APPRISE_SERVICES
    if scheme not in allowed:
        raise ServiceError(
            f"Addresses that begin with {scheme[:20]}:// are not allowed here.",
            f"Allowed: {', '.join(allowed)}. Whoever runs the site can allow more: "
            "MAXFT_APPRISE_SERVICES.",
        )
    if "?" in address:
        # Options of Apprise's may name files and addresses that it reads: template=, attach=, …
        raise ServiceError("The address has options behind a “?”.", "Leave them out.")
    if opened(address) is None:
        hint = "Apprise's documentation shows how the service's address is written."
        raise ServiceError(f"This is no address of {scheme}.", hint)


def opened(address: str) -> object | None:
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its words hold addresses
    return apprise.Apprise.instantiate(address, suppress_exceptions=True)


def send(notice: Notice) -> str:
    """What went wrong, in a sentence; empty where the service took it."""
    if not is_installed():
        return "Apprise is not installed any more."
    try:
        require_service(notice.channel.target)
    except ServiceError as error:
        return f"{error.message} {error.hint}"
    import apprise

    service = apprise.Apprise()
    service.add(notice.channel.target)
    words = words_of(notice)
    if service.notify(title=words.title, body=f"{words.text}\n{words.url}".strip()):
        return ""
    return "The service did not take it: see that the address and its key are right."
