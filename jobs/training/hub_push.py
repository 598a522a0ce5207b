"""The push of an export to the Hub as a child process: unpacked, sent, told of."""

from __future__ import annotations

import logging
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings

from datasets_app.hub.parent import BYTES_A_CPU_SECOND, BYTES_A_SECOND, PLAIN, WALL_SECONDS
from jobs.models import HubPush
from jobs.services.registry import hub_push
from maxaillm.dev.finetune.processes.child import NETWORK, allowed_environment, json_child
from maxaillm.dev.finetune.processes.limits import Limits

COMMAND = (sys.executable, "-m", "jobs.training.hub_child")
HUB = r"HF_(?!TOKEN)\w+"
"""The settings of the Hub's library, less the site's own token: whoever pushes gives theirs."""
MEMORY_BYTES = 4 * 2**30
CPU_SECONDS = 120
log = logging.getLogger(__name__)
UNEXPECTED = {
    "code": "hub_push",
    "message": "The push ended early: it took too much time, or it was killed.",
    "hint": "Push again: files that are there already are not sent twice.",
}
NOT_THERE = {
    "code": "hub_push",
    "message": "The export's files can't be read, or the disk is full.",
    "hint": "See that the disk has room for them once more, or export again.",
}


def carry_out(pk: int) -> None:
    """Make a push that was asked for; nothing where it has ended."""
    begun = hub_push.begin(pk)
    if begun is None:
        return
    push, token = begun
    error: dict[str, Any] = UNEXPECTED
    url = ""
    try:
        with tempfile.TemporaryDirectory(dir=push.export.folder) as folder:
            unpack(push.export.archive, Path(folder))
            url, error = send(push, token, folder)
    except (OSError, zipfile.BadZipFile):
        error = NOT_THERE
    finally:
        if url:
            hub_push.done(pk, url)
        else:
            hub_push.fail(pk, error)


def unpack(archive: Path, folder: Path) -> None:
    """The files side by side: a repository has no folder of its own name inside."""
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            target = folder / PurePosixPath(info.filename).name
            with packed.open(info) as source, target.open("wb") as file:
                while piece := source.read(2**20):
                    file.write(piece)


def send(push: HubPush, token: str, folder: str) -> tuple[str, dict[str, Any]]:
    """The address, or what went wrong."""
    size = push.export.size_bytes
    with json_child(
        COMMAND,
        env=allowed_environment(NETWORK, HUB) | PLAIN,
        cwd=settings.BASE_DIR,
        limits=Limits(MEMORY_BYTES, CPU_SECONDS + size // BYTES_A_CPU_SECOND),
        seconds=WALL_SECONDS + size / BYTES_A_SECOND,
    ) as child:
        child.send_task(
            {
                "repository": push.repository,
                "is_private": push.is_private,
                "token": token,
                "folder": folder,
            }
        )
        told = dict(child.receive())
    if child.stderr:
        log.warning("Push %s ended with:\n%s", push.pk, child.stderr.replace(token, "…"))
    return str(told.get("url", "")), told.get("error", UNEXPECTED)
