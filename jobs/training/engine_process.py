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

import psutil
from django.conf import settings

from maxaillm.dev.finetune.processes import fork_server
from maxaillm.dev.finetune.processes.parent_death import bound_to_this_process
from maxaillm.dev.finetune.run.events import RunFolder

log = logging.getLogger(__name__)

FORK_SERVER = "MAXFT_FORK_SERVER"
"""Names the socket of the worker's warm process in the worker's own environment."""
PASSED_ON = re.compile(
    r"PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|VIRTUAL_ENV|LD_LIBRARY_PATH|G?OMP_\w+"
    r"|ATEN_CPU_CAPABILITY|MAXAILLM_BF16_SPEEDUP"
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
        "MAXAILLM_CACHE": str(settings.DATA_DIR / "cache"),
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }


def lower_priority() -> None:
    os.umask(0o077)
    os.nice(10)


class EngineProcess:
    """`python -m maxaillm.dev.finetune ARGV`, with a process group of its own and its output in
    the log of `folder`.

    One that stays off the network is forked from the worker's warm process where there is one;
    else it begins cold, by that very command.
    """

    def __init__(self, argv: Sequence[str], folder: RunFolder, *, online: bool) -> None:
        self.argv, self.folder = argv, folder
        self.env = trainer_environment(online=online)
        self.cold: subprocess.Popen[bytes] | None = None
        self.lifeline: socket.socket | None = None
        self.pid = 0
        self.process: psutil.Process | None = None
        self.status: int | None = None
        self.peak_bytes = 0
        address = os.environ.get(FORK_SERVER)
        if address and not online:
            self.begin_warm(Path(address))
        else:
            self.begin_cold()

    def begin_warm(self, address: Path) -> None:
        log_path = str(self.folder.log)
        request = fork_server.Request(self.argv, str(self.folder.root), self.env, log_path)
        try:
            self.lifeline = fork_server.ask(address, request)
        except OSError as error:
            log.warning("No warm trainer, so a cold one: %s", error)
            self.begin_cold()

    def begin_cold(self) -> None:
        bind = bound_to_this_process()

        def prepare() -> None:
            bind()
            lower_priority()

        with self.folder.log.open("ab") as output:
            self.cold = subprocess.Popen(
                [sys.executable, "-m", "maxaillm.dev.finetune", *self.argv],
                cwd=self.folder.root,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=prepare,  # noqa: PLW1509 - it makes three system calls, no more
            )
        self.meet(self.cold.pid)

    def meet(self, pid: int) -> None:
        self.pid = pid
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended at once
            self.process = psutil.Process(pid)

    def poll(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        if self.status is not None:
            return self.status
        if self.lifeline is not None:
            self.listen(self.lifeline)
        elif self.cold is not None:
            self.status = self.cold.poll()
        if self.status is not None:
            self.kill()  # what it may have started itself
        return self.status

    def listen(self, lifeline: socket.socket) -> None:
        """First comes its process id, then how it ended."""
        try:
            number = fork_server.hear(lifeline)
        except ConnectionError as error:
            self.lifeline = None
            lifeline.close()
            if self.pid:
                self.status = KILLED
            else:
                log.warning("No warm trainer, so a cold one: %s", error)
                self.begin_cold()
            return
        if self.pid:
            self.status = number
        elif number is not None:
            self.meet(number)

    def measure(self) -> None:
        """Note its memory, and that of the processes it has started, one a device: who is killed
        for want of memory can't say so itself."""
        if self.process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            held = self.process.memory_info().rss
            held += sum(p.memory_info().rss for p in self.process.children(recursive=True))
            self.peak_bytes = max(self.peak_bytes, held)

    def signal(self, number: signal.Signals) -> None:
        """Signal the trainer itself, unless its number belongs to another process by now."""
        if self.process is not None and self.process.is_running():
            with contextlib.suppress(psutil.NoSuchProcess):
                self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the trainer and all of its group."""
        if self.pid > 1:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        elif self.lifeline is not None:
            self.lifeline.close()
            self.lifeline, self.status = None, KILLED

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
