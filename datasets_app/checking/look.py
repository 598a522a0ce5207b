"""A look at the beginning of a file, in a child process: started, waited for, put into words."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from maxaillm.dev.finetune.processes.child import allowed_environment, json_child
from maxaillm.dev.finetune.processes.limits import Limits

COMMAND = (sys.executable, "-m", "datasets_app.checking.beginning")
CPU_SECONDS, SECONDS = 10, 20
MEMORY_BYTES = 2**30
logger = logging.getLogger(__name__)


@dataclass
class Look:
    """What the beginning of a file holds, read in one way; or why it can't be read so."""

    columns: list[str] = field(default_factory=list)
    sample: list[dict[str, str]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    """What a format makes of the first rows: an example, or the problem with one."""
    guess: dict[str, Any] | None = None
    """The format that the rows look like, where none was chosen."""
    read_as: dict[str, Any] = field(default_factory=dict)
    sheets: list[str] = field(default_factory=list)
    file_kind: str = ""
    encoding: str = ""
    error: dict[str, Any] | None = None


def look_at(
    path: Path, file_name: str, reading: dict[str, Any], chosen: dict[str, Any] | None = None
) -> Look:
    """Read the first rows of a file as `reading` says, and make examples of them as `chosen`."""
    task = {"path": str(path), "file_name": file_name, "reading": reading, "format": chosen}
    with json_child(
        COMMAND,
        env=allowed_environment(),
        cwd=settings.BASE_DIR,
        limits=Limits(MEMORY_BYTES, CPU_SECONDS),
        seconds=SECONDS,
    ) as child:
        child.send_task(task)
        found = dict(child.receive())
    if child.stderr:
        logger.error("The look at %s ended with:\n%s", file_name, child.stderr)
    if "look" in found:
        return Look(**found["look"])
    ended = {
        "code": "look_failed",
        "message": "The file could not be looked at in time.",
        "hint": "Say how it is written, and check it.",
    }
    return Look(error=found.get("error", ended))
