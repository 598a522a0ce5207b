"""What tests of answers share: a worker that works until nothing is left to do."""

from __future__ import annotations

import time

from jobs.inference.worker import InferenceWorker
from tests.site_process import PATIENCE_SECONDS


def answer_all(worker: InferenceWorker) -> None:
    """Let the worker take what waits, and bring all of it to its end."""
    end = time.monotonic() + PATIENCE_SECONDS
    worker.step()
    while worker.running:
        worker.step()
        assert time.monotonic() < end, "answered in vain"
