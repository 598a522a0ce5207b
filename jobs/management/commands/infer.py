"""`maxft infer`: the worker that answers with models, one a device."""

from __future__ import annotations

import os
import re
import signal
import socket
from argparse import ArgumentTypeError
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from filelock import Timeout

from jobs.inference.model_cache import ModelCache
from jobs.inference.worker import InferenceWorker
from jobs.site.supervisor import end_with_supervisor
from maxaillm.dev.finetune.processes.file_lock import file_lock
from maxaillm.dev.finetune.processes.resources import usable_cores


def device_name(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,2})?", text):
        raise ArgumentTypeError(f"{text!r} is none of auto, cpu, cuda, cuda:0 …")
    return text


class Command(BaseCommand):
    help = "Answers the questions of the playground and of /v1/chat/completions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--device", type=device_name, default="auto")

    def handle(self, *, device: str, **_options: Any) -> None:
        end_with_supervisor()
        set_environment()
        try:
            lock = file_lock(settings.DATA_DIR / f"infer-{device}.lock").acquire(blocking=False)
        except Timeout:
            raise CommandError(f"An inference worker for {device} runs already.") from None
        worker = InferenceWorker(f"{socket.gethostname()}-{device}", ModelCache(device))

        def stop(_number: int, _frame: FrameType | None) -> None:
            worker.stopping.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        with lock:
            worker.run()


def set_environment() -> None:
    """Before torch is imported: few threads, so that trainings keep theirs, and no network."""
    share = max(1, usable_cores() // 2)
    allowed = int(os.environ.get("OMP_NUM_THREADS") or share)
    os.environ["OMP_NUM_THREADS"] = str(min(share, allowed))
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
