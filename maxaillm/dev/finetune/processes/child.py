"""Child process: an environment by allow-list, a session of its own, limits, a clock, a kill.

`start_child` starts any program, `json_child` one that carries out a task and emits JSON lines.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import Any

from maxaillm.dev.finetune.processes.cause_of_death import CauseOfDeath, cause_of_death
from maxaillm.dev.finetune.processes.json_lines import read_lines, send_task, write_line
from maxaillm.dev.finetune.processes.limits import Limits
from maxaillm.dev.finetune.processes.parent_death import bound_to_this_process

BASIC = r"PATH|HOME|LANG|LC_\w+|TMPDIR|VIRTUAL_ENV"
"""The environment variables that every child gets: none of them is a secret."""
NETWORK = r"(?i:(https?|all|no)_proxy|SSL_CERT_\w+|REQUESTS_CA_BUNDLE)"
"""Those that a child needs besides to reach the network from here."""
STDERR_CHARS = 10_000


def allowed_environment(*patterns: str) -> dict[str, str]:
    """This process's environment variables that are basic, or whose whole name fits a pattern."""
    allowed = re.compile("|".join((BASIC, *patterns)))
    return {name: value for name, value in os.environ.items() if allowed.fullmatch(name)}


def own_temporary(folder: str) -> dict[str, str]:
    """Environment variables that keep a child's temporary files in `folder`: also the code that
    torch and Triton compile and load again, which lies in a place that anybody can guess else."""
    caches = {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton"}
    return {"TMPDIR": folder} | {name: f"{folder}/{place}" for name, place in caches.items()}


def own_session(nice: int = 0) -> dict[str, Any]:
    """What `subprocess` and `asyncio` are to start a child with so that it has a session, and so
    a process group, of its own, and a priority lowered by `nice`. On Linux it ends with this
    process, however that one ends."""
    bind = bound_to_this_process()

    def prepare() -> None:  # three system calls and no more: this process may have threads
        bind()
        os.nice(nice)

    return {"start_new_session": True, "preexec_fn": prepare}


def start_child(argv: Sequence[str], *, nice: int = 0, **options: Any) -> subprocess.Popen[Any]:
    """`subprocess.Popen` in a session of its own."""
    return subprocess.Popen(argv, **own_session(nice), **options)


def kill_group(leader: int) -> None:
    """Kill the process `leader`, which has a group of its own, and all of that group."""
    assert leader > 1  # 0 stands for the group of this process
    with suppress(ProcessLookupError, PermissionError):  # all have ended already
        os.killpg(leader, signal.SIGKILL)


class JsonChild:
    """A program that is sent a task and emits JSON lines, within limits and for so many seconds.

    `json_child` starts one. Once it is over, `stderr` and `cause_of_death` say how it went.
    """

    def __init__(self, process: subprocess.Popen[str], limits: Limits, seconds: float) -> None:
        assert process.stdin and process.stdout
        self.process, self.limits = process, limits
        self.stdin, self.stdout = process.stdin, process.stdout
        self.stderr = ""
        self.start_clock(seconds)

    def start_clock(self, seconds: float) -> None:
        self.clock = Timer(seconds, self.kill)
        self.clock.start()

    def restart_clock(self, seconds: float) -> None:
        """Give it so many seconds from now, whatever was left."""
        self.clock.cancel()
        self.start_clock(seconds)

    def send_task(self, task: object) -> None:
        with suppress(BrokenPipeError):  # it has died: `cause_of_death` says why
            send_task(self.stdin, task, self.limits)

    def send(self, kind: str, content: object) -> None:
        with suppress(BrokenPipeError):
            write_line(self.stdin, kind, content)

    def receive(self) -> Iterator[tuple[str, Any]]:
        """Kind and content of each line, until it ends."""
        return read_lines(self.stdout)

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        if self.process.poll() is None:
            kill_group(self.process.pid)

    def close(self) -> None:
        """See that it has ended."""
        self.kill()
        self.process.wait()
        self.clock.cancel()
        self.stdout.close()
        with suppress(BrokenPipeError):  # what it did not read before it died
            self.stdin.close()

    @property
    def cause_of_death(self) -> CauseOfDeath:
        return cause_of_death(self.process.wait(), has_memory_limit=True)


@contextmanager
def json_child(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, limits: Limits, seconds: float
) -> Iterator[JsonChild]:
    """Starts a `JsonChild`, which is over at the end of the block: at its own pace, or killed
    where the block raises."""
    pipe = subprocess.PIPE
    with TemporaryFile("w+", errors="replace") as stderr:
        process = start_child(
            argv, env=env, cwd=cwd, stdin=pipe, stdout=pipe, stderr=stderr, text=True
        )
        child = JsonChild(process, limits, seconds)
        try:
            yield child
            process.wait()
        finally:
            child.close()
        stderr.seek(0)
        child.stderr = stderr.read(STDERR_CHARS).strip()
