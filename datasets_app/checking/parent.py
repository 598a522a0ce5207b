"""The check of a file as a child process: started, listened to, its death put into words."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from maxaillm.dev.finetune.processes.cause_of_death import CauseOfDeath
from maxaillm.dev.finetune.processes.child import JsonChild, allowed_environment, json_child
from maxaillm.dev.finetune.processes.limits import Limits

COMMAND = (sys.executable, "-m", "datasets_app.checking.child")
CPU_SECONDS = 120
BYTES_A_SECOND = 2_000_000
"""What a slow processor reads; a large file gets so much more time."""
PACKED_FACTOR = 5
"""How much larger a packed file may well be once it is unpacked."""
MEMORY_BYTES = 2 * 2**30
WALL_FACTOR = 5
"""How much longer than its work a check may take where others want the processor too."""
POOL = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Arrow's own pool reserves a gigabyte of addresses, which would count against the limit."""
HINT = "Split the file into smaller ones, or check that it is what its name says."
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
    with json_child(
        COMMAND,
        env=allowed_environment() | POOL,
        cwd=settings.BASE_DIR,
        limits=Limits(MEMORY_BYTES, cpu_seconds),
        seconds=WALL_FACTOR * cpu_seconds,
    ) as child:
        child.send_task(task)
        outcome = listen(child, on_progress)
    if child.stderr:
        logger.error("The check for %s ended with:\n%s", task["folder"], child.stderr)
    if outcome is not None and outcome.report is None and outcome.error is None:
        outcome.error = error_of(child.cause_of_death, cpu_seconds)
    return outcome


def listen(child: JsonChild, on_progress: Callable[[float], bool]) -> Outcome | None:
    """Take down what the child emits, until it ends or nobody waits for it any more."""
    outcome = Outcome()
    for kind, content in child.receive():
        if kind == "finding":
            outcome.findings.append(content)
        elif kind != "progress":
            setattr(outcome, kind, content)
        elif not on_progress(content):
            child.kill()
            return None
    return outcome


def error_of(cause: CauseOfDeath, cpu_seconds: int) -> dict[str, Any]:
    """A sentence about a child that ended without a word."""
    code, message, hint = {
        CauseOfDeath.CPU_TIME: (
            "too_slow",
            f"The file could not be read within {cpu_seconds} seconds of work.",
            HINT,
        ),
        CauseOfDeath.MEMORY: (
            "too_complex",
            "The file needs more memory to be read than a check may take.",
            HINT,
        ),
        CauseOfDeath.KILLED: (
            "killed",
            "The check was ended from outside: the machine ran short of memory or time.",
            f"Check it again. {HINT}",
        ),
    }.get(
        cause,
        (
            "reader_failed",
            "The file could not be read: the reader stopped without a reason.",
            HINT,
        ),
    )
    return {"code": code, "message": message, "hint": hint}
