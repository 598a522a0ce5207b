"""`maxft watchdog`: queues again the runs whose worker died, and enqueues those that wait."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from jobs.site.supervisor import end_with_supervisor
from jobs.training.watchdog import keep


class Command(BaseCommand):
    help = "Watches over runs and uploads: what died is queued again, what is left is swept."

    def handle(self, *_args: Any, **_options: Any) -> None:
        end_with_supervisor()
        keep()
