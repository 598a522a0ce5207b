"""Workers: the settings they start with, and those that are up, as the queue in Redis knows."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from typing import NamedTuple

from redis.exceptions import RedisError
from rq import Worker

from jobs.inference_queue.redis import connection
from maxaillm.dev.finetune.estimate.machine import gpu_name
from maxaillm.dev.finetune.processes.resources import usable_cores


def worker_environment(workers: int) -> dict[str, str]:
    """What trainings share the processor by, in the environment of their workers.

    One core is left to the pages, and threads that wait sleep. Threads that spin for a core which
    another program has taken train several times slower: benchmarks/README.md.
    """
    threads = max(1, (usable_cores() - 1) // max(1, workers))
    return {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}


def device_kind() -> str:
    """What a trainer of this process would compute on: `cuda` or `cpu`."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    return "cuda" if gpu_name() and not hidden else "cpu"


DEVICE = "device"
"""Where a worker's entry in Redis says its kind of device."""


class WorkerRow(NamedTuple):
    name: str
    queues: str
    state: str
    machine: str
    last_seen: datetime | None
    kind: str = ""
    """What kind of device it trains on."""


def workers_up() -> list[WorkerRow] | None:
    """All workers, by name; None where Redis does not answer."""
    try:
        with connection() as client:
            rows = [row_of(worker) for worker in Worker.all(connection=client)]
    except (RedisError, OSError):
        return None
    return sorted(rows)


def devices_up(workers: list[WorkerRow] | None) -> dict[str, int] | None:
    """Kind of device -> how many workers train on it; None where that is not known."""
    if workers is None:
        return None
    return Counter(row.kind or "cpu" for row in workers if row.queues == "training")


def row_of(worker: Worker) -> WorkerRow:
    seen = worker.last_heartbeat
    return WorkerRow(
        name=worker.name,
        queues=", ".join(worker.queue_names()),
        state=str(worker.get_state()),
        machine=worker.hostname or "",
        kind=(worker.connection.hget(worker.key, DEVICE) or b"").decode(),
        last_seen=seen.replace(tzinfo=UTC) if seen and seen.tzinfo is None else seen,
    )
