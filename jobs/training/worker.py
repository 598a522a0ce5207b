"""Workers of the queues: rq's own, with a list of what may run, and a fork server for trainers."""

from __future__ import annotations

import logging
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import django_rq
from django.conf import settings
from django.db import close_old_connections, connections
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from rq import Queue, Worker
from rq.job import Job

from jobs.models import ACTIVE, Run
from jobs.services import engine_jobs
from jobs.services.registry import hub_push
from jobs.training.engine_process import trainer_environment
from jobs.training.fork_server import FORK_SERVER, listen, own_address
from jobs.training.recovery import recover
from jobs.training.workers import DEVICE, device_kind
from maxaillm.dev.finetune.processes import engine_server
from maxaillm.dev.finetune.processes.child import start_child
from maxaillm.dev.finetune.processes.descendants import adopt_orphans, end_others
from maxaillm.dev.finetune.processes.parent_death import end_with_parent

log = logging.getLogger(__name__)

ALLOWED = re.compile(r"(jobs|datasets_app)\.tasks\.[a-z]\w*")
CARRY_OUT, PUSH = "jobs.tasks.carry_out", "jobs.tasks.push_to_hub"
AWAY = (RedisConnectionError, RedisTimeoutError, OSError)
RETRIES = 60
TTL_SECONDS = 45
"""An idle worker shows itself 15 seconds before: else it would seem away for minutes."""


class ForbiddenJobError(Exception):
    """A job that names something else than a task of this site."""


class AllowedJob(Job):  # type: ignore[misc]  # rq is Any to mypy
    """A job that can only be one of the site's tasks: who reaches Redis can't run more."""

    @property
    def func(self) -> Callable[..., Any] | None:
        name = self.func_name or ""
        callbacks = (
            self._success_callback_name,
            self._failure_callback_name,
            self._stopped_callback_name,
        )
        if not ALLOWED.fullmatch(name) or self.instance is not None or any(map(as_text, callbacks)):
            raise ForbiddenJobError(f"Job {self.id} asks for {name!r}, which is no task.")
        function = super().func
        if getattr(function, "__module__", None) != name.rpartition(".")[0]:
            raise ForbiddenJobError(f"Job {self.id} asks for {name!r}, which is only imported.")
        return function  # type: ignore[no-any-return]


def as_text(value: object) -> str:
    return value if isinstance(value, str) else ""


class SiteWorker(Worker):  # type: ignore[misc]
    """Forks a process a job, which dies with it; bears with Redis being away for a while."""

    def __init__(self, queue: Queue) -> None:
        unique = f"{queue.name}-{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(3)}"
        super().__init__(
            [queue],
            name=unique,
            connection=queue.connection,
            job_class=AllowedJob,
            serializer=queue.serializer,
            worker_ttl=TTL_SECONDS,
        )
        backoff = ExponentialBackoff(cap=2, base=0.1)
        self.connection.set_retry(Retry(backoff, RETRIES, supported_errors=AWAY))

    def work(self, *args: Any, **kwargs: Any) -> bool:
        adopt_orphans()
        return bool(super().work(*args, **kwargs))

    def execute_job(self, job: Job, queue: Queue) -> None:
        connections.close_all()  # a database connection must not be shared with the fork
        super().execute_job(job, queue)
        end_others(spare=self.lasting)

    @property
    def lasting(self) -> set[int]:
        """The children that stay from job to job; what else a job has left behind is ended."""
        return set()

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        end_with_parent(os.getppid())
        super().main_work_horse(job, queue)

    def handle_warm_shutdown_request(self) -> None:
        """Pass the request to stop on to the job."""
        if self.horse_pid:
            os.kill(self.horse_pid, signal.SIGTERM)

    def maintain_heartbeats(self, job: Job, execution: Any) -> None:
        try:
            super().maintain_heartbeats(job, execution)
        except AWAY as error:
            self.log.warning("Redis is away, a heartbeat is left out: %s", error)

    def handle_work_horse_killed(self, job: Job, *how: Any) -> None:
        super().handle_work_horse_killed(job, *how)
        close_old_connections()
        for run in Run.objects.filter(worker=self.name, status__in=ACTIVE):
            recover(run, by=self.name, why="The process that watched the trainer was killed.")
        if job.func_name == CARRY_OUT:
            engine_jobs.interrupt(*job.args)
        if job.func_name == PUSH:
            hub_push.lose(*job.args)


class TrainingWorker(SiteWorker):
    """Has a fork server, which has the engine's libraries imported and forks trainers: the site's
    own, or one that it keeps itself where it was started by hand."""

    def __init__(self, queue: Queue) -> None:
        super().__init__(queue)
        self.fork_server: subprocess.Popen[bytes] | None = None
        self.fork_server_address = None if os.environ.get(FORK_SERVER) else own_address()

    def work(self, *args: Any, **kwargs: Any) -> bool:
        self.keep_fork_server()
        try:
            return bool(super().work(*args, **kwargs))
        finally:
            if self.fork_server:
                self.fork_server.kill()
            if self.fork_server_address:
                self.fork_server_address.unlink(missing_ok=True)

    def register_birth(self) -> None:
        """Say on what it trains, besides what every worker says of itself."""
        super().register_birth()
        self.connection.hset(self.key, DEVICE, device_kind())

    def execute_job(self, job: Job, queue: Queue) -> None:
        self.keep_fork_server()
        super().execute_job(job, queue)

    @property
    def lasting(self) -> set[int]:
        return {self.fork_server.pid} if self.fork_server else set()

    def keep_fork_server(self) -> None:
        """Start its own fork server, also where it has died."""
        is_up = self.fork_server and self.fork_server.poll() is None
        if is_up or self.fork_server_address is None:
            return
        with listen(self.fork_server_address) as listener:
            self.fork_server = start_child(
                [sys.executable, "-m", engine_server.__name__, str(listener.fileno())],
                pass_fds=[listener.fileno()],
                env=trainer_environment(online=False),
                cwd=settings.DATA_DIR,
                stdin=subprocess.DEVNULL,
            )
        os.environ[FORK_SERVER] = str(self.fork_server_address)


def make_worker(queue: str) -> SiteWorker:
    """The worker of a queue of `RQ_QUEUES`."""
    kind = TrainingWorker if queue == "training" else SiteWorker
    return kind(django_rq.get_queue(queue))


QUEUES = tuple(settings.RQ_QUEUES)
