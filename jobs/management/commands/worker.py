"""`maxft worker QUEUE`: takes jobs from one queue, one at a time."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from jobs.site.supervisor import end_with_supervisor
from jobs.training.worker import QUEUES, make_worker
from jobs.training.workers import worker_environment


class Command(BaseCommand):
    help = (
        "Takes jobs from a queue: trainings, light ones such as checks, or fetching from the Hub."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queue", choices=QUEUES)
        parser.add_argument(
            "--workers", type=int, default=1, help="how many of its kind share this machine"
        )

    def handle(self, *, queue: str, workers: int, **_options: Any) -> None:
        end_with_supervisor()
        for name, value in worker_environment(workers).items():
            os.environ.setdefault(name, value)  # before torch is imported, which reads them once
        make_worker(queue).work(logging_level="WARNING")
