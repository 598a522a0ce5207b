"""The inference worker: one process a device that answers requests one after the other."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import redis
from django.db import close_old_connections
from pydantic import ValidationError

from jobs.inference.feed import Feed, Said
from jobs.inference.model_cache import ModelCache, Speech
from jobs.inference_queue import fair_queue, requests
from jobs.inference_queue.fair_queue import Client
from jobs.inference_queue.redis import connection
from jobs.inference_queue.requests import FinishReason, Outcome, Request, Usage
from jobs.models import LanguageModel
from jobs.services import playground
from maxaillm.dev.finetune.errors import FineTuneError, ModelError

ANSWER_SECONDS = 180
"""An answer that takes longer is cut here."""
HUNG_SECONDS = ANSWER_SECONDS + 600
"""Loading and answering together never take so long: the process gives up and is restarted."""
CLAIM_SECONDS = 2
SWEEP_SECONDS = 60
logger = logging.getLogger(__name__)


class Deadline:
    """Says whether an answer has to end now, and why."""

    def __init__(self, feed: Feed, stopping: threading.Event) -> None:
        self.feed, self.stopping = feed, stopping
        self.reason: FinishReason = "cancelled"
        self.ends = float("inf")

    def start(self) -> None:
        """The time counts from here: loading a model is not the answer's fault."""
        self.ends = time.monotonic() + ANSWER_SECONDS

    def has_come(self) -> bool:
        if time.monotonic() > self.ends:
            self.reason = "time"
            return True
        return self.feed.is_cancelled() or self.stopping.is_set()


class InferenceWorker:
    """Takes requests from the list and answers them with the models that it keeps warm."""

    def __init__(self, name: str, models: ModelCache) -> None:
        self.name, self.models = name, models
        self.client: Client = connection()
        self.stopping = threading.Event()
        self.busy_since: float | None = None
        self.swept = 0.0

    def run(self) -> None:
        """Work until `stopping` is set."""
        with self.sending_heartbeats():
            self.bear_without_redis(self.look_after)
            self.models.prepare()
            while not self.stopping.is_set():
                self.bear_without_redis(self.step)
        self.bear_without_redis(lambda: self.client.zrem(requests.WORKERS, self.name))

    def bear_without_redis(self, work: Callable[[], object]) -> None:
        try:
            work()
        except redis.ConnectionError as error:
            logger.warning("Redis can't be reached: %s", error)
            self.stopping.wait(1)

    def look_after(self) -> None:
        """End what nobody works on: at the start what a predecessor left, then now and again."""
        if time.monotonic() - self.swept > SWEEP_SECONDS or not self.swept:
            sweep(self.client, self.name)
            self.swept = time.monotonic()

    def step(self) -> None:
        """Answer the next request, or look after what lies around while there is none."""
        self.look_after()
        found = fair_queue.take(self.client, requests.running_key(self.name), CLAIM_SECONDS)
        close_old_connections()
        if found is None:
            self.models.unload_idle()
            return
        self.busy_since = time.monotonic()
        self.serve(UUID(found))
        self.busy_since = None

    def serve(self, request_id: UUID) -> None:
        content = self.client.get(requests.request_key(request_id))
        try:
            request = Request.model_validate_json(content or "")
        except ValidationError:
            finish(self.client, self.name, request_id, playground.lost_outcome())
            return
        feed = Feed(self.client, request_id)
        try:
            outcome = self.answer(request, feed)
        except Exception as error:
            # The process may be damaged: the answer says so, and a fresh process takes over.
            outcome = Outcome.failed(
                unexpected(error), requests.said_so_far(self.client, request_id)
            )
            finish(self.client, self.name, request_id, outcome)
            raise
        finish(self.client, self.name, request_id, outcome)

    def answer(self, request: Request, feed: Feed) -> Outcome:
        """Generate, with every failure that a user can understand as part of the outcome."""
        said = Said()
        try:
            model = LanguageModel.objects.filter(pk=request.model, deleted=None).first()
            if model is None:
                raise ModelError("The model was deleted.", "Choose another model.")
            if not self.models.has(model):
                feed.say_loading()
            deadline = Deadline(feed, self.stopping)
            speech = self.models.speak(model, request, deadline.has_come)
            return self.listen(speech, feed, said, deadline)
        except FineTuneError as error:
            return Outcome.failed(error, "".join(said.text))

    def listen(self, speech: Speech, feed: Feed, said: Said, deadline: Deadline) -> Outcome:
        """Pass the words on as they come."""
        started, first = time.monotonic(), 0.0
        deadline.start()
        while True:
            try:
                part = next(speech.parts)
            except StopIteration as end:
                made = end.value
                break
            first = first or time.monotonic()
            feed.add(part.kind, said.add(part))
        feed.send_text()
        if self.stopping.is_set() and made.finish_reason == "cancelled":
            raise FineTuneError("The site was stopped meanwhile.", "Let the model answer again.")
        reason = deadline.reason if made.finish_reason == "cancelled" else made.finish_reason
        usage = Usage(
            prompt_tokens=made.prompt_tokens,
            completion_tokens=made.completion_tokens,
            dropped_messages=speech.dropped_messages,
            finish_reason=reason,
            first_token_seconds=round(first - started, 3) if first else None,
            tokens_per_second=rate(made.completion_tokens, first),
        )
        status = "stopped" if reason == "cancelled" else "done"
        return Outcome(
            status=status,
            text="".join(said.text),
            reasoning="".join(said.reasoning),
            tool_calls=said.calls,
            usage=usage,
            judgement=made.judgement,
        )

    @contextmanager
    def sending_heartbeats(self) -> Iterator[None]:
        """Say every few seconds that this worker lives."""
        ended = threading.Event()
        thread = threading.Thread(
            target=self.send_heartbeats, args=[ended], name="heartbeat", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def send_heartbeats(self, ended: threading.Event) -> None:
        with connection() as client:
            while True:
                if self.busy_since and time.monotonic() - self.busy_since > HUNG_SECONDS:
                    logger.critical("An answer hangs; the process ends, to be started afresh")
                    os._exit(1)
                try:
                    client.zadd(requests.WORKERS, {self.name: time.time()})
                except redis.ConnectionError as error:
                    logger.warning("Redis can't be reached: %s", error)
                if ended.wait(requests.HEARTBEAT_SECONDS):
                    return


def rate(tokens: int, first: float | None) -> float | None:
    """Tokens a second behind the first one; the wait for that is shown by itself."""
    seconds = time.monotonic() - first if first else 0
    return round((tokens - 1) / seconds, 1) if tokens > 1 and seconds > 0 else None


def unexpected(error: Exception) -> FineTuneError:
    return FineTuneError(
        f"The inference worker failed: {type(error).__name__}: {first_line(error)}",
        "Try again; the worker starts afresh. Its log has the details.",
    )


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:300]


def finish(client: Client, worker: str, request_id: UUID, outcome: Outcome) -> None:
    """Store how it ended: first the row, then the stream's end, which readers take as a sign."""
    playground.finish_answer(answer_id=request_id, outcome=outcome)
    requests.publish_end(client, request_id, outcome)
    client.lrem(requests.running_key(worker), 0, str(request_id))


def sweep(client: Client, worker: str) -> None:
    """End what nobody works on: left by a predecessor of `worker`, by dead ones, by a lost Redis.

    Only called while `worker` itself is idle.
    """
    silent = client.zrangebyscore(requests.WORKERS, "-inf", time.time() - requests.SILENT_SECONDS)
    for name in {worker, *(found.decode() for found in silent)}:
        for found in client.lrange(requests.running_key(name), 0, -1):
            request_id = UUID(found.decode())
            text = requests.said_so_far(client, request_id)
            finish(client, name, request_id, playground.lost_outcome(text))
        if name != worker:
            client.zrem(requests.WORKERS, name)
    requests.forget_lost(client)
    playground.fail_lost_answers()
