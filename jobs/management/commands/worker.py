"""`maxft worker QUEUE`: takes jobs from one queue, one at a time."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from jobs.site.supervisor import end_with_supervisor
from jobs.training.worker import QUEUES, make_worker


class Command(BaseCommand):
    help = (
        "Takes jobs from a queue: trainings, light ones such as checks, or fetching from the Hub."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queue", choices=QUEUES)

    def handle(self, *, queue: str, **_options: Any) -> None:
        end_with_supervisor()
        make_worker(queue).work(logging_level="WARNING")
