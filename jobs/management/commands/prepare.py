"""`maxft prepare`: what has to be there before the services start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections

from datasets_app.services.samples import ensure_samples
from jobs.services.models import ensure_starters
from maxft_site.web import setup_token


class Command(BaseCommand):
    help = "Brings the database, the starter models and the sample up to date, as `up` does."

    def handle(self, *, verbosity: int, **_options: Any) -> None:
        bring_up_to_date()
        if verbosity:  # the address lets in whoever has it, so that it is not for a log
            self.stdout.write(f"Ready. The site's first page is {first_page()}")


def bring_up_to_date() -> None:
    call_command("migrate", verbosity=0)
    ensure_starters()
    ensure_samples()


def first_page() -> str:
    """Where the first visitor makes the owner's account; the home page where there is one."""
    token = setup_token.make(settings.DATA_DIR)
    connections.close_all()
    return f"/setup/?token={token}" if token else "/"
