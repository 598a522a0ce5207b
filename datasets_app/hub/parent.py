"""Starts the process that fetches from the Hub, listens to it, and gives it leave to go on."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import IO, Any, Protocol

from django.conf import settings

from datasets_app.checking.parent import MEMORY_BYTES
from maxaillm.dev.finetune.errors import FineTuneError

CPU_SECONDS = 120
BYTES_A_CPU_SECOND = 5_000_000
"""What a slow processor receives, unpacks and stores; large data gets so much more time."""
WALL_SECONDS = 300
"""For the list of files; then for retries, in addition to the time that its bytes need."""
BYTES_A_SECOND = 50_000
"""The slowest network that is waited for."""
PASSED_ON = re.compile(
    r"PATH|HOME|LANG|LC_ALL|TMPDIR|VIRTUAL_ENV|SYSTEMROOT|HF_\w+"
    r"|(https?|all|no)_proxy|SSL_CERT_\w+|REQUESTS_CA_BUNDLE",
    re.IGNORECASE,
)
"""The child sees these variables of ours only; HF_TOKEN is the one secret among them."""
PLAIN = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_XET": "1",  # it would keep pieces of files in a folder of its own
}
logger = logging.getLogger(__name__)


class Listener(Protocol):
    """What is done at each thing that the child says."""

    def listing(self, listing: Mapping[str, Any]) -> None:
        """The commit, and the subsets with their splits."""

    def plan(self, plan: Mapping[str, Any]) -> None:
        """What will be fetched. Raises FineTuneError where there is no room for it."""

    def progress(self, fetched_bytes: int) -> bool:
        """False where nobody waits for it any more."""


@dataclass
class Fetched:
    """How it ended: with a file, with something to choose, or with an error."""

    file_name: str | None = None
    must_choose: bool = False
    error: dict[str, Any] | None = None


class Clock:
    """Ends the child when its time is over, which may be set anew."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child
        self.allow(WALL_SECONDS)

    def allow(self, seconds: float) -> None:
        self.timer = Timer(seconds, self.child.kill)
        self.timer.start()

    def stop(self) -> None:
        self.timer.cancel()


def fetch_from_hub(task: Mapping[str, Any], listener: Listener) -> Fetched | None:
    """Run one fetch to its end. None where the listener said that nobody waits for it."""
    cpu_seconds = CPU_SECONDS + task["max_bytes"] // BYTES_A_CPU_SECOND
    limits = {"cpu_seconds": cpu_seconds, "memory_bytes": MEMORY_BYTES, "parent": os.getpid()}
    with tempfile.TemporaryFile("w+") as complaints:
        child = start_child(complaints)
        clock = Clock(child)
        try:
            with child:
                fetched = listen(child, {**task, **limits}, listener, clock)
        except BaseException:
            child.kill()
            raise
        finally:
            clock.stop()
        complaints.seek(0)
        if text := complaints.read(10_000).strip():
            logger.warning("Fetching %s ended with:\n%s", task["hub"], text)
    if fetched is not None and fetched == Fetched():
        fetched.error = {
            "code": "hub_killed",
            "message": f"Fetching {task['hub']} was ended: it took too much time or memory.",
            "hint": "Check again; it begins anew. If it happens again, take a smaller subset.",
        }
    return fetched


def start_child(complaints: IO[str]) -> subprocess.Popen[str]:
    passed = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    return subprocess.Popen(
        [sys.executable, "-m", "datasets_app.hub.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        cwd=settings.BASE_DIR,
        env=passed | PLAIN,
        text=True,
    )


def listen(
    child: subprocess.Popen[str], task: Mapping[str, Any], listener: Listener, clock: Clock
) -> Fetched | None:
    assert child.stdin and child.stdout
    fetched = Fetched()
    child.stdin.write(json.dumps(task) + "\n")
    child.stdin.flush()
    for line in child.stdout:
        if not line.endswith("\n"):
            break  # cut off in the middle by the child's death
        ((kind, content),) = json.loads(line).items()
        if kind == "plan":
            try:
                listener.plan(content)
            except FineTuneError as error:
                child.kill()
                return Fetched(error=dict(error.as_json()))
            clock.stop()
            clock.allow(WALL_SECONDS + content["size_bytes"] / BYTES_A_SECOND)
            with suppress(BrokenPipeError):  # it has just died: the loop ends
                os.write(child.stdin.fileno(), b"go\n")  # nothing is left for `close` to write
        elif kind == "listing":
            listener.listing(content)
        elif kind != "progress":
            setattr(fetched, kind, content)
        elif not listener.progress(content):
            child.kill()
            return None
    return fetched
