"""Starts the check of a file as a child process and listens to it."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import IO, Any

from django.conf import settings

CPU_SECONDS = 120
BYTES_A_SECOND = 2_000_000
"""What a slow processor reads; a large file gets so much more time."""
PACKED_FACTOR = 5
"""How much larger a packed file may well be once it is unpacked."""
MEMORY_BYTES = 2 * 2**30
WALL_FACTOR = 5
"""How much longer than its work a check may take where others want the processor too."""
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")
"""The child sees these variables of ours only: none of them is a secret."""
POOL = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Arrow's own pool reserves a gigabyte of addresses, which would count against the limit."""
logger = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What a check found: a report, or why there is none."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


def check_file(task: dict[str, Any], on_progress: Callable[[float], bool]) -> Outcome | None:
    """Run one check to its end. None where `on_progress` said that nobody waits for it."""
    size_bytes = sum(Path(p["path"]).stat().st_size * max(1, p["times"]) for p in task["parts"])
    cpu_seconds = CPU_SECONDS + int(PACKED_FACTOR * size_bytes) // BYTES_A_SECOND
    limits = {
        "cpu_seconds": cpu_seconds,
        "memory_bytes": MEMORY_BYTES,
        "parent": os.getpid(),
    }
    with tempfile.TemporaryFile("w+") as complaints:
        child = start_child(complaints)
        clock = Timer(WALL_FACTOR * cpu_seconds, child.kill)
        clock.start()
        try:
            with child:
                outcome = listen(child, task | limits, on_progress)
        except BaseException:
            child.kill()
            raise
        finally:
            clock.cancel()
        complaints.seek(0)
        if text := complaints.read(10_000).strip():
            logger.error("The check for %s ended with:\n%s", task["folder"], text)
    if outcome is not None and outcome.report is None and outcome.error is None:
        outcome.error = cause_of_death(child.returncode, cpu_seconds)
    return outcome


def start_child(complaints: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "datasets_app.checking.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        cwd=settings.BASE_DIR,
        env={name: os.environ[name] for name in PASSED_ON if name in os.environ} | POOL,
        text=True,
    )


def listen(
    child: subprocess.Popen[str], task: dict[str, Any], on_progress: Callable[[float], bool]
) -> Outcome | None:
    """Take down what the child says, until it ends or nobody waits for it any more."""
    assert child.stdin and child.stdout
    outcome = Outcome()
    child.stdin.write(json.dumps(task))
    child.stdin.close()
    for line in child.stdout:
        if not line.endswith("\n"):
            break  # cut off in the middle by the child's death
        ((kind, content),) = json.loads(line).items()
        if kind == "finding":
            outcome.findings.append(content)
        elif kind != "progress":
            setattr(outcome, kind, content)
        elif not on_progress(content):
            child.kill()
            return None
    return outcome


def cause_of_death(status: int, cpu_seconds: int) -> dict[str, Any]:
    """A sentence about a child that ended without a word."""
    hint = "Split the file into smaller ones, or check that it is what its name says."
    if -status == signal.SIGXCPU:
        return {
            "code": "too_slow",
            "message": f"The file could not be read within {cpu_seconds} seconds of work.",
            "hint": hint,
        }
    if -status == signal.SIGABRT:  # what the readers' compiled parts do where memory is refused
        message = "The file needs more memory to be read than a check may take."
        return {"code": "too_complex", "message": message, "hint": hint}
    if -status == signal.SIGKILL:
        message = "The check was ended from outside: the machine ran short of memory or time."
        return {"code": "killed", "message": message, "hint": "Check it again. " + hint}
    message = "The file could not be read: the reader stopped without a reason."
    return {"code": "reader_failed", "message": message, "hint": hint}
