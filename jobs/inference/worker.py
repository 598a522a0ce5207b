"""The inference worker: one process a device that makes many answers at once.

`step` takes what is asked, brings every answer further by about a token, and sends what came of
all of them in one round trip. What may take long (loading a model, rendering a chat template) is
done in threads of its own, so that streams flow meanwhile.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from uuid import UUID

import redis
from django.db import close_old_connections
from pydantic import ValidationError

from jobs.inference.ending import finish, sweep, unexpected
from jobs.inference.feed import Feeds
from jobs.inference.model_cache import ModelCache, source_of
from jobs.inference.preparing import Prepared, prepare
from jobs.inference.running import ANSWER_SECONDS, Running
from jobs.inference_queue import fair_queue, requests
from jobs.inference_queue.fair_queue import Client
from jobs.inference_queue.redis import connection
from jobs.inference_queue.requests import Outcome, Request
from jobs.models import LanguageModel
from jobs.services import playground
from maxaillm.dev.finetune.errors import FineTuneError, ModelError

HUNG_SECONDS = ANSWER_SECONDS + 600
"""Without a token for so long, loading included, the process gives up and is restarted."""
CLAIM_SECONDS = 2
SWEEP_SECONDS = 60
TAKE_SECONDS = 0.01
"""While answers are being made, new requests are looked for this often."""
MOST_ANSWERS = 32
"""Got ready or made at once; the others wait in the fair queue, where everybody takes turns."""
logger = logging.getLogger(__name__)


class InferenceWorker:
    """Takes requests from the queue and answers them with the models that it keeps warm."""

    def __init__(self, name: str, models: ModelCache) -> None:
        self.name, self.models = name, models
        self.client: Client = connection()
        self.stopping = threading.Event()
        self.running: list[Running] = []
        self.feeds = Feeds(self.client)
        self.progressed = time.monotonic()
        self.taken = self.swept = 0.0

    def run(self) -> None:
        """Work until `stopping` is set."""
        with self.sending_heartbeats():
            self.bear_without_redis(self.look_after)
            self.models.prepare()
            while not self.stopping.is_set():
                self.bear_without_redis(self.step)
            self.bear_without_redis(self.say_goodbye)
        self.bear_without_redis(lambda: self.client.zrem(requests.WORKERS, self.name))

    def bear_without_redis(self, work: Callable[[], object]) -> None:
        try:
            work()
        except redis.ConnectionError as error:
            logger.warning("Redis can't be reached: %s", error)
            self.stopping.wait(0.05 if self.running else 1)

    def look_after(self) -> None:
        """End what nobody works on: at the start what a predecessor left, then now and again."""
        if time.monotonic() - self.swept > SWEEP_SECONDS or not self.swept:
            sweep(self.client, self.name, {running.id for running in self.running})
            self.swept = time.monotonic()

    def step(self) -> None:
        """Take what is asked, bring each answer further, tell what came of it."""
        try:
            self.look_after()
            self.take_requests()
            self.begin_prepared()
            self.make_tokens()
            self.relay()
        except redis.ConnectionError:
            raise
        except Exception as error:
            # The process may be damaged: the answers say so, and a fresh process takes over.
            self.end_all(unexpected(error))
            raise
        self.progressed = time.monotonic()

    def take_requests(self) -> None:
        """Waits for one only while nothing else is to be done."""
        room = MOST_ANSWERS - len(self.running)
        if self.running and (not room or time.monotonic() - self.taken < TAKE_SECONDS):
            return
        seconds = 0 if self.running else CLAIM_SECONDS
        found = fair_queue.take(self.client, requests.running_key(self.name), seconds, room)
        self.taken = time.monotonic()
        if not self.running:
            close_old_connections()
        for request_id in found:
            self.receive(UUID(request_id))
        if not self.running:
            self.models.unload_idle()

    def receive(self, request_id: UUID) -> None:
        content = self.client.get(requests.request_key(request_id))
        try:
            request = Request.model_validate_json(content or "")
        except ValidationError:
            finish(self.client, self.name, request_id, playground.lost_outcome())
            return
        running = Running(request, None)
        self.running.append(running)
        try:
            model = LanguageModel.objects.filter(pk=request.model, deleted=None).first()
            if model is None:
                raise ModelError("The model was deleted.", "Choose another model.")
            source = source_of(model)
        except FineTuneError as error:
            running.fail(error)
            return
        if source.name not in self.models.bases:
            running.feed.say_loading()
        running.preparation = self.models.threads.submit(prepare, self.models, source, request)

    def begin_prepared(self) -> None:
        waiting = [r for r in self.running if r.preparation is not None]
        if waiting and len(waiting) == len(self.running):
            pending = [r.preparation for r in waiting if r.preparation is not None]
            wait(pending, TAKE_SECONDS, FIRST_COMPLETED)
        for running in waiting:
            assert running.preparation
            if not running.preparation.done():
                continue
            preparation, running.preparation = running.preparation, None
            try:
                made = preparation.result()
                if isinstance(made, Outcome):
                    running.outcome = made
                else:
                    running.begin(made)
            except FineTuneError as error:
                running.fail(error)

    def make_tokens(self) -> None:
        for base in list(self.models.bases.values()):
            if base.answers:
                base.step()

    def relay(self) -> None:
        """Send what came; end what has ended, and what nobody wants any more."""
        for running in self.running:
            if running.prepared is not None and running.outcome is None:
                if running.must_end:
                    running.prepared.base.leave(running.prepared.answer)
                running.listen()
            elif running.preparation is not None and running.feed.cancelled:
                self.withdraw(running)
        ended = [running for running in self.running if running.outcome is not None]
        feeds = [running.feed for running in self.running]
        if feeds and (ended or self.feeds.is_due(feeds)):
            self.feeds.flush(feeds)
        for running in ended:
            self.end(running)

    def withdraw(self, running: Running) -> None:
        """Nobody waits for it any more; what is got ready for it is put away once it is."""
        preparation, running.preparation = running.preparation, None
        assert preparation
        if not preparation.cancel():
            preparation.add_done_callback(self.put_away)
        running.outcome = requests.WITHDRAWN

    def put_away(self, preparation: Future[Prepared | Outcome]) -> None:
        if not preparation.cancelled() and preparation.exception() is None:
            made = preparation.result()
            if isinstance(made, Prepared):
                self.models.release(made.base)

    def end(self, running: Running) -> None:
        assert running.outcome
        finish(self.client, self.name, running.id, running.outcome)
        self.running.remove(running)
        if running.prepared is not None:
            self.models.release(running.prepared.base)

    def end_all(self, error: FineTuneError) -> None:
        """End every answer with `error`, with what it said so far."""
        for running in list(self.running):
            if running.outcome is None:
                if running.prepared is not None:
                    running.prepared.base.leave(running.prepared.answer)
                running.fail(error)
        self.relay()

    def say_goodbye(self) -> None:
        self.models.close()
        self.end_all(
            FineTuneError("The site was stopped meanwhile.", "Let the model answer again.")
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
                if self.running and time.monotonic() - self.progressed > HUNG_SECONDS:
                    logger.critical("An answer hangs; the process ends, to be started afresh")
                    os._exit(1)
                try:
                    client.zadd(requests.WORKERS, {self.name: time.time()})
                except redis.ConnectionError as error:
                    logger.warning("Redis can't be reached: %s", error)
                if ended.wait(requests.HEARTBEAT_SECONDS):
                    return
