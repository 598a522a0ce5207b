"""How answers end: stored, told to their readers, and cleared away where a worker died."""

from __future__ import annotations

import time
from collections.abc import Collection
from uuid import UUID

from jobs.inference_queue import requests
from jobs.inference_queue.fair_queue import Client
from jobs.inference_queue.requests import Outcome
from jobs.services import playground
from maxaillm.dev.finetune.errors import FineTuneError


def unexpected(error: BaseException) -> FineTuneError:
    return FineTuneError(
        f"The inference worker failed: {type(error).__name__}: {first_line(error)}",
        "Try again; the worker starts afresh. Its log has the details.",
    )


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:300]


def finish(client: Client, worker: str, request_id: UUID, outcome: Outcome) -> None:
    """Store how it ended: first the row, then the stream's end, which readers take as a sign."""
    playground.finish_answer(answer_id=request_id, outcome=outcome)
    requests.publish_end(client, request_id, outcome)
    client.lrem(requests.running_key(worker), 0, str(request_id))


def sweep(client: Client, worker: str, at_work: Collection[UUID]) -> None:
    """End what nobody works on: left by dead workers, by a predecessor of `worker`, which is at
    `at_work`, or by a lost Redis."""
    silent = client.zrangebyscore(requests.WORKERS, "-inf", time.time() - requests.SILENT_SECONDS)
    for name in {worker, *(found.decode() for found in silent)}:
        for found in client.lrange(requests.running_key(name), 0, -1):
            request_id = UUID(found.decode())
            if request_id in at_work:
                continue
            text = requests.said_so_far(client, request_id)
            finish(client, name, request_id, playground.lost_outcome(text))
        if name != worker:
            client.zrem(requests.WORKERS, name)
    requests.forget_lost(client)
    playground.fail_lost_answers()
