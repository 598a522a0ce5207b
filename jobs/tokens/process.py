"""Token views computed by the engine, in a child process."""

from __future__ import annotations

import json
import logging
import time

from datasets_app.models import DatasetVersion
from jobs.tokens.requests import NO_ANSWER, SUMMARY, Part, folder_of, part_of, rows_of_part
from jobs.training.engine_process import EngineProcess
from maxaillm.dev.finetune.run.events import RunFolder

SAMPLE_ROWS = 10_000
"""The figures are of about so many rows at most."""
LIMIT_SECONDS = 600.0
LOOK_SECONDS = 0.02
log = logging.getLogger(__name__)


def show(version_id: int, key: str, part: int) -> None:
    """Do one part of the work, unless it is done, or the dataset is gone."""
    version = DatasetVersion.objects.filter(pk=version_id).first()
    if version is None:
        return
    root = folder_of(version)
    config = RunFolder(root / key).config
    place = part_of(root, key, part)
    if not config.exists() or place.answer() is not None:
        return
    place.found.unlink(missing_ok=True)
    place.root.mkdir(mode=0o700, exist_ok=True)
    place.log.unlink(missing_ok=True)
    what = ["--sample", str(SAMPLE_ROWS)] if part == SUMMARY else ["--row", *row_names(part)]
    run(["tokens", str(config), "--json", "--to", str(place.found), *what], place)
    if not place.found.exists():
        log.error("%s ended without an answer; see %s", key, place.log)
        place.found.write_text(json.dumps({"error": DIED}), encoding="utf-8")


def row_names(part: int) -> list[str]:
    return [str(row) for row in rows_of_part(part)]


DIED = {
    "code": NO_ANSWER,
    "message": "What the model will see could not be found out: the process ended early.",
    "hint": "The machine may be short of memory. Change an option to try again.",
}


def run(argv: list[str], place: Part) -> None:
    """`python -m maxaillm.dev.finetune ARGV`, off the network, until it has found something."""
    process = EngineProcess(argv, RunFolder(place.root), online=False)
    ends = time.monotonic() + LIMIT_SECONDS
    try:
        while process.poll() is None and time.monotonic() < ends and not place.found.exists():
            time.sleep(LOOK_SECONDS)
    finally:
        process.close()
