"""`maxft up`: the one command that starts everything and keeps it up."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from filelock import Timeout

from jobs.management.commands.prepare import first_page
from jobs.management.commands.serve import (
    add_plain_http,
    is_loopback_host,
    require_encryption,
)
from jobs.site import forked_programs, redis_server
from jobs.site.forked_programs import ENGINE, SITE, site_server
from jobs.site.supervisor import Program, Supervisor
from jobs.training.engine_process import trainer_environment
from jobs.training.fork_server import FORK_SERVER, listen, own_address
from jobs.training.watchdog import recover_after_crash
from jobs.training.workers import worker_environment
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.processes.file_lock import file_lock
from maxft_site.settings import is_loopback

TRAININGS_SECONDS = 16.0
"""So long trainings may take to save when the site is stopped."""


class Command(BaseCommand):
    help = "Starts the site with all that it needs; Ctrl-C stops it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=1, help="trainings at once")
        parser.add_argument("--data-dir", type=Path, help="where everything is kept")
        parser.add_argument("--no-browser", action="store_true")
        add_plain_http(parser)

    def handle(
        self, *, host: str, port: int, workers: int, no_browser: bool, plain_http: bool, **_: Any
    ) -> None:
        logging.getLogger().setLevel(logging.WARNING)
        try:
            require_safety(host)
            require_encryption(host, plain_http=plain_http)
            require_free_port(host, port)
            with site_server() as servers, only_one(settings.DATA_DIR):
                use_private_files(settings.DATA_DIR)
                for name, value in worker_environment(workers).items():
                    os.environ.setdefault(name, value)
                address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
                show = partial(self.show, opens_browser=not no_browser)
                asyncio.run(run_site(address, host, port, workers, show, servers))
        except FineTuneError as error:
            raise CommandError(f"{error.message} {error.hint}") from None

    def show(self, address: str, *, opens_browser: bool) -> None:
        self.stdout.write(f"MaxFT is at {address}")
        self.stdout.flush()
        if opens_browser and has_display():
            webbrowser.open(address)


async def run_site(
    address: str, host: str, port: int, workers: int, show: Any, servers: dict[str, socket.socket]
) -> None:
    """Start what the site consists of, in order; return when it was told to stop."""
    if servers:
        os.environ[FORK_SERVER] = str(own_address())
    supervisor = Supervisor(settings.DATA_DIR / "logs", os.environ, servers)
    supervisor.stop_on_signals()
    try:
        if servers:
            await supervisor.start(engine_program())  # first, since its imports take the longest
        if not os.environ.get("REDIS_URL"):
            await supervisor.start(redis_program())
        # In a process of its own: what that imports and takes is not needed again.
        await supervisor.carry_out(site_program("prepare", "prepare", "-v0"))
        await asyncio.to_thread(settle)
        for program in programs(host, port, workers):
            await supervisor.start(program)
        if not supervisor.wants_to_stop.is_set():
            show(address + await asyncio.to_thread(first_page))
        await supervisor.wants_to_stop.wait()
    finally:
        await supervisor.end_all()
        own_address().unlink(missing_ok=True)


def engine_program() -> Program:
    """The fork server of the engine, which gets no secret of the site."""
    return Program(
        ENGINE,
        [sys.executable, "-m", forked_programs.__name__],
        leaves_last=True,
        listen=lambda: listen(own_address()),
        options={"env": trainer_environment(online=False), "cwd": settings.DATA_DIR},
    )


def redis_program() -> Program:
    url = settings.REDIS_URL
    redis_server.make_way(url)
    folder = settings.DATA_DIR / "redis"
    folder.mkdir(mode=0o700, exist_ok=True)

    async def is_ready() -> bool:
        return redis_server.answers(url)

    return Program("redis", redis_server.command(url, folder), is_ready, leaves_last=True)


def programs(host: str, port: int, workers: int) -> Iterator[Program]:
    async def serves() -> bool:
        try:
            _, writer = await asyncio.open_connection(
                None if host in {"0.0.0.0", "::"} else host,
                port,
            )
        except OSError:
            return False
        writer.close()
        return True

    for number in range(1, workers + 1):
        name = f"worker-training-{number}"
        yield site_program(name, "worker", "training", leave_seconds=TRAININGS_SECONDS)
    for queue in ("light", "fetch"):
        yield site_program(f"worker-{queue}", "worker", queue)
    yield site_program("infer", "infer", forked_by=ENGINE)
    yield site_program("watchdog", "watchdog")
    # Whether it may be plain http was decided above.
    web = ("serve", "--host", host, "--port", str(port), "--plain-http")
    yield site_program("web", *web, is_ready=serves)


def site_program(name: str, *command: str, forked_by: str = SITE, **options: Any) -> Program:
    argv = [*settings.MAXFT, *command]
    return Program(name, argv, command=command, forked_by=forked_by, **options)


def settle() -> None:
    """Bring what a crash left to a truthful state."""
    recover_after_crash()
    connections.close_all()


def use_private_files(folder: Path) -> None:
    """What this process and its children write is private, and temporary files lie here too."""
    os.umask(0o077)
    for name in ("logs", "tmp"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    for left in folder.glob("w-*.sock"):
        left.unlink()
    for left in (folder / "tmp").glob("maxft-*"):
        shutil.rmtree(left, ignore_errors=True)
    os.environ["TMPDIR"] = str(folder / "tmp")


def require_safety(host: str) -> None:
    if settings.DEBUG and not is_loopback_host(host):
        raise FineTuneError(
            "With MAXFT_DEBUG=1 the site is only served to this machine.",
            "Leave it out, or use --host 127.0.0.1.",
        )
    if not is_loopback(settings.REDIS_URL) and "@" not in settings.REDIS_URL:
        raise FineTuneError(
            "REDIS_URL names a Redis of another machine without a password.",
            "Whoever reaches it could start trainings: set one, redis://:PASSWORD@HOST:PORT.",
        )


def require_free_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"The site can't be served on {host}:{port}: {error.strerror}."
            raise FineTuneError(message, "Choose another --port.") from None


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the data directory. Raises FineTuneError where a running site holds it."""
    path = folder / "up.lock"
    try:
        lock = file_lock(path).acquire(blocking=False)
    except Timeout:
        raise FineTuneError(
            f"MaxFT already runs on {folder} (process {path.read_text()}).",
            "Stop that one first, or choose another --data-dir.",
        ) from None
    with lock:
        path.write_text(str(os.getpid()))
        yield


def has_display() -> bool:
    return sys.platform == "darwin" or any(
        os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY")
    )
