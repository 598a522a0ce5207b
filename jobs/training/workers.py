"""The workers that are up, as the queue in Redis knows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from redis.exceptions import RedisError
from rq import Worker

from jobs.inference_queue.redis import connection


class WorkerRow(NamedTuple):
    name: str
    queues: str
    state: str
    machine: str
    last_seen: datetime | None


def workers_up() -> list[WorkerRow] | None:
    """All workers, by name; None where Redis does not answer."""
    try:
        with connection() as client:
            rows = [row_of(worker) for worker in Worker.all(connection=client)]
    except (RedisError, OSError):
        return None
    return sorted(rows)


def row_of(worker: Worker) -> WorkerRow:
    seen = worker.last_heartbeat
    return WorkerRow(
        name=worker.name,
        queues=", ".join(worker.queue_names()),
        state=str(worker.get_state()),
        machine=worker.hostname or "",
        last_seen=seen.replace(tzinfo=UTC) if seen and seen.tzinfo is None else seen,
    )
