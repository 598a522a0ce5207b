"""`maxft serve`: pages, API and sockets by uvicorn."""

from __future__ import annotations

from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from jobs.site.supervisor import end_with_supervisor

SECONDS_FOR_OPEN_SOCKETS = 3


class Command(BaseCommand):
    help = "Serves the site; `up` starts it together with all that it needs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *, host: str, port: int, **_options: Any) -> None:
        end_with_supervisor()
        uvicorn.run(
            "maxft_site.asgi:application",
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            # Else whoever connects could claim any address, and the limit on sign-ins counts them.
            proxy_headers=settings.SERVED_BY_HTTPS,
            timeout_graceful_shutdown=SECONDS_FOR_OPEN_SOCKETS,
        )
