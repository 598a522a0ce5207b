"""The engine as a child process: forked by the fork server or started anew, signalled, ended."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
from django.conf import settings

from jobs.training.fork_server import fork_server_address
from maxaillm.dev.finetune.processes.cause_of_death import CauseOfDeath, cause_of_death
from maxaillm.dev.finetune.processes.child import (
    NETWORK,
    allowed_environment,
    kill_group,
    own_temporary,
    start_child,
)
from maxaillm.dev.finetune.processes.descendants import adopt_orphans, children_now, end_others
from maxaillm.dev.finetune.processes.engine_server import LOWER_PRIORITY, Request
from maxaillm.dev.finetune.processes.forked_child import ForkedChild, request_fork
from maxaillm.dev.finetune.processes.limits import set_limit
from maxaillm.dev.finetune.processes.plain_files import remove_links
from maxaillm.dev.finetune.processes.resources import memory_limit_bytes
from maxaillm.dev.finetune.run.events import RunFolder
from maxaillm.dev.finetune.trackers import RUN_ADDRESS, trackers

log = logging.getLogger(__name__)

LIBRARIES = (
    r"USER|TZ|LD_LIBRARY_PATH|G?OMP_\w+|ATEN_CPU_CAPABILITY|MAXAILLM_BF16_SPEEDUP|XDG_CACHE_HOME"
    r"|(CUDA|NVIDIA|TORCH|PYTORCH|HIP|ROCR|NCCL)_\w+"
)
"""What a trainer's libraries look for besides: no secret of the site is among it."""
HUB, HUB_WITHOUT_TOKEN = r"HF_\w+", r"HF_(?!TOKEN)\w+"
MEMORY_FACTOR = 2
"""How much more private memory than the machine has a process may ask for: not all of it is used.
A GPU's driver reserves addresses without measure, so nothing is limited beside one."""
FIRST_TO_GO = 500
"""Of 1000: where the memory runs short, the system ends a trainer before it ends the site."""
LONGEST_TEMPORARY = 50
"""Characters: sockets lie in the folder, whose whole path may have some hundred."""


class Reports(NamedTuple):
    """The trackers that a run is reported to, and the address of its page that they are told."""

    trackers: Sequence[str] = ()
    address: str = ""

    @property
    def variables(self) -> list[str]:
        """What configures them; no other tracker's reach the trainer."""
        return [name for tracker in self.trackers for name in trackers[tracker].variables]


NO_REPORTS = Reports()


def trainer_environment(
    *, online: bool, secrets: Collection[str] = (), reports: Reports = NO_REPORTS
) -> dict[str, str]:
    """The environment of a trainer, with the `secrets` that its provider reads; one that stays
    off the network gets neither these nor a proxy."""
    passing = [LIBRARIES, *((HUB, *secrets) if online else (HUB_WITHOUT_TOKEN,))]
    if online or reports.trackers:
        passing += [NETWORK, *reports.variables]
    passed = allowed_environment(*passing) | ({} if online else {"HF_HUB_OFFLINE": "1"})
    if reports.trackers and reports.address:
        passed[RUN_ADDRESS] = reports.address
    return passed | {
        "PYTHONPATH": str(settings.BASE_DIR),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "MAXAILLM_CACHE": str(settings.DATA_DIR / "cache"),
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }


class EngineProcess:
    """`python -m maxaillm.dev.finetune ARGV`, with a process group of its own and its output in
    the log of `folder`.

    One that stays off the network, and reports to no tracker, is forked by the fork server where
    there is one; else that very command is started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        folder: RunFolder,
        *,
        online: bool,
        secrets: Collection[str] = (),
        reports: Reports = NO_REPORTS,
    ) -> None:
        self.argv, self.folder = argv, folder
        self.temporary = make_temporary()
        self.others = children_now()
        self.env = trainer_environment(online=online, secrets=secrets, reports=reports)
        self.env |= own_temporary(self.temporary)
        self.process: psutil.Process | None = None
        self.peak_bytes = 0
        address = None if online or reports.trackers else fork_server_address()
        self.child = self.fork(address) if address else self.start()

    def fork(self, address: Path) -> ForkedChild | subprocess.Popen[bytes]:
        folder = str(self.folder.root.resolve())
        request = Request(self.argv, folder, self.folder.log.name, self.temporary)
        try:
            return request_fork(address, request._asdict())
        except OSError as error:
            return self.start_instead(error)

    def start_instead(self, error: OSError) -> subprocess.Popen[bytes]:
        log.warning("No fork server, so the engine imports by itself: %s", error)
        return self.start()

    def start(self) -> subprocess.Popen[bytes]:
        adopt_orphans()
        with self.folder.log.open("ab") as output:
            return start_child(
                [sys.executable, "-m", "maxaillm.dev.finetune", *self.argv],
                cwd=self.folder.root,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                umask=0o077,
                nice=LOWER_PRIORITY,
            )

    @property
    def pid(self) -> int:
        """0 while the fork server has not started it yet."""
        return self.child.pid

    @property
    def status(self) -> int | None:
        """How it ended, as `poll` has last seen it."""
        return self.child.returncode

    def poll(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        if self.status is not None:
            return self.status
        status = self.poll_child()
        if self.process is None and self.pid:
            with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended at once
                self.process = psutil.Process(self.pid)
            limit(self.pid)
        if status is not None:
            kill_group(self.pid)  # what it may have started itself
        return status

    def poll_child(self) -> int | None:
        try:
            return self.child.poll()
        except ConnectionError as error:
            self.child = self.start_instead(error)
            return None

    def cause_of_death(self) -> CauseOfDeath:
        return cause_of_death(self.status or 0, peak_bytes=self.peak_bytes)

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
        if self.pid:
            kill_group(self.pid)
        elif isinstance(self.child, ForkedChild):
            self.child.close()

    def close(self) -> None:
        """See that nothing of it is left: no process, no temporary file, and in its folder nothing
        that leads elsewhere."""
        self.kill()
        if isinstance(self.child, ForkedChild):
            self.child.close()
        else:
            self.child.wait()
            end_others(spare=self.others)
        shutil.rmtree(self.temporary, ignore_errors=True)
        if removed := remove_links(self.folder.root):
            log.warning("Links were left in %s and are removed: %s", self.folder.root, removed)


def make_temporary() -> str:
    """A new private folder for one process's temporary files."""
    usual = tempfile.gettempdir()
    place = usual if len(os.fsencode(usual)) <= LONGEST_TEMPORARY else "/tmp"
    return tempfile.mkdtemp(prefix="maxft-", dir=place)


def limit(pid: int) -> None:
    """Bound a trainer that has just begun, for good. Linux only."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(ProcessLookupError, PermissionError, FileNotFoundError):
        set_limit(resource.RLIMIT_CORE, 0, pid=pid)
        if not list(Path("/dev").glob("nvidia[0-9]*")):
            set_limit(resource.RLIMIT_DATA, MEMORY_FACTOR * memory_limit_bytes(), pid=pid)
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(FIRST_TO_GO))
