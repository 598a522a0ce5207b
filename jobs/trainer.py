"""The engine as a child process: started warm or cold, signalled, seen to its end."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import psutil
from django.conf import settings

from maxaillm.dev.finetune import warm
from maxaillm.dev.finetune.events import RunFolder
from maxaillm.dev.finetune.lifeline import bound_to_this_process

log = logging.getLogger(__name__)

WARM_ADDRESS = "MAXFT_WARM"
"""Names the socket of the worker's warm process in the worker's own environment."""
PASSED_ON = re.compile(
    r"PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|VIRTUAL_ENV|LD_LIBRARY_PATH|OMP_NUM_THREADS"
    r"|XDG_CACHE_HOME|(CUDA|NVIDIA|TORCH|PYTORCH|HIP|ROCR|NCCL|HF)_\w+"
)
"""What a trainer may know of its environment: no secret of the site is among it."""
ONLINE_ONLY = re.compile(r"(https?|all|no)_proxy|SSL_CERT_\w+|REQUESTS_CA_BUNDLE", re.IGNORECASE)
SECRETS = re.compile(r"HF_TOKEN(_PATH)?")
KILLED = -signal.SIGKILL


def trainer_environment(*, online: bool) -> dict[str, str]:
    """The environment of a trainer; one that may not download gets neither token nor proxy."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if PASSED_ON.fullmatch(name) or (online and ONLINE_ONLY.fullmatch(name))
    }
    if not online:
        passed = {name: value for name, value in passed.items() if not SECRETS.fullmatch(name)}
        passed["HF_HUB_OFFLINE"] = "1"
    return passed | {
        "PYTHONPATH": str(settings.BASE_DIR),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }


def lower_priority() -> None:
    os.umask(0o077)
    os.nice(10)


class Trainer:
    """A running trainer with a process group of its own."""

    def __init__(
        self, pid: int, *, cold: subprocess.Popen[bytes] | None, lifeline: socket.socket | None
    ) -> None:
        self.pid, self.cold, self.lifeline = pid, cold, lifeline
        self.status: int | None = None
        self.peak_bytes = 0
        self.process: psutil.Process | None = None
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended at once
            self.process = psutil.Process(pid)

    @classmethod
    def start(cls, argv: Sequence[str], folder: RunFolder, *, online: bool) -> Self:
        """Begin `python -m maxaillm.dev.finetune ARGV` in `folder`; its output goes to the log.

        A trainer that stays off the network is forked from the worker's warm process, where
        there is one; else it begins cold, by the same command.
        """
        env = trainer_environment(online=online)
        address = os.environ.get(WARM_ADDRESS)
        if address and not online:
            request = warm.Request(argv, str(folder.root), env, str(folder.log))
            try:
                pid, lifeline = warm.ask(Path(address), request)
            except OSError as error:
                log.warning("No warm trainer, so a cold one: %s", error)
            else:
                return cls(pid, cold=None, lifeline=lifeline)
        return cls.start_cold(argv, folder, env)

    @classmethod
    def start_cold(cls, argv: Sequence[str], folder: RunFolder, env: dict[str, str]) -> Self:
        bind = bound_to_this_process()

        def prepare() -> None:
            bind()
            lower_priority()

        with folder.log.open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "maxaillm.dev.finetune", *argv],
                cwd=folder.root,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=prepare,  # noqa: PLW1509 - it makes two system calls, no more
            )
        return cls(child.pid, cold=child, lifeline=None)

    def poll(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        if self.status is None:
            if self.cold is not None:
                self.status = self.cold.poll()
            elif self.lifeline is not None:
                self.status = warm.exit_status(self.lifeline)
        if self.status is not None:
            self.kill()  # what it may have started itself
        return self.status

    def measure(self) -> None:
        """Note its memory: a process killed for want of memory can't say so itself."""
        if self.process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            self.peak_bytes = max(self.peak_bytes, self.process.memory_info().rss)

    def signal(self, number: signal.Signals) -> None:
        """Signal the trainer itself, unless its number belongs to another process by now."""
        if self.process is not None and self.process.is_running():
            with contextlib.suppress(psutil.NoSuchProcess):
                self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the trainer and all of its group."""
        if self.pid >= 2:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """See that nothing of it is left."""
        self.kill()
        if self.cold is not None:
            self.cold.wait()
        if self.lifeline is not None:
            self.lifeline.close()


def memory_limit_bytes() -> int:
    """What a trainer can use at most: the control group's limit, else the machine's memory."""
    total = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total
