"""`maxft serve`: pages, API and sockets by uvicorn."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.site.supervisor import end_with_supervisor
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.limits import connections

SECONDS_FOR_OPEN_SOCKETS = 3


class Command(BaseCommand):
    help = "Serves the site; `up` starts it together with all that it needs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        add_plain_http(parser)

    def handle(self, *, host: str, port: int, plain_http: bool, **_options: Any) -> None:
        end_with_supervisor()
        try:
            require_encryption(host, plain_http=plain_http)
        except FineTuneError as error:
            raise CommandError(f"{error.message} {error.hint}") from None
        uvicorn.run(
            "maxft_site.asgi:application",
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            # Else whoever connects could claim any address, and the limit on sign-ins counts them.
            proxy_headers=settings.SERVED_BY_HTTPS,
            timeout_graceful_shutdown=SECONDS_FOR_OPEN_SOCKETS,
            **connections.options(),
        )


def add_plain_http(parser: CommandParser) -> None:
    parser.add_argument(
        "--plain-http",
        action="store_true",
        help="serve other machines without encryption: in a container, or a network you trust",
    )


def require_encryption(host: str, *, plain_http: bool) -> None:
    """Raises FineTuneError where passwords would cross a network for all to read."""
    if is_loopback_host(host) or settings.SERVED_BY_HTTPS or plain_http:
        return
    raise FineTuneError(
        f"On {host} other machines reach the site, and passwords would cross the network as they "
        "are.",
        "Put a proxy with TLS before it and set MAXFT_HTTPS=1 (docs/howto/deploy.md); or say "
        "--plain-http where only a proxy or a container's own network reaches it.",
    )


def is_loopback_host(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
