"""Following a run: its events, each once, and the lines of its log, until it has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from maxft_client.site.connection import Site

ENDED = {"succeeded", "failed", "cancelled", "paused"}
"""Nothing more comes of a run that is one of these by itself."""
LOOK_SECONDS = 1.0


def events(site: Site, run_id: int, after: int = 0) -> Iterator[dict[str, Any]]:
    """The run's events behind number `after`; then waits for more until the run has ended.

    They are asked for by number, so that a cut connection loses and doubles none.
    """
    while True:
        is_over = site.get(f"/runs/{run_id}")["status"] in ENDED
        while True:
            page = site.get(f"/runs/{run_id}/events", after=after, limit=1000)
            for event in page["items"]:
                after = event["seq"]
                yield event
            if not page["items"] or after >= page["last"]:
                break
        if is_over:
            return
        time.sleep(LOOK_SECONDS)


def log_lines(site: Site, run_id: int, *, follow: bool) -> Iterator[tuple[int, str]]:
    """Attempt and line, of the newest attempt, and when following also of those that come after
    it, until the run has ended."""
    attempt, after = None, 0
    while True:
        is_over = site.get(f"/runs/{run_id}")["status"] in ENDED if follow else True
        part = site.get(f"/runs/{run_id}/log", attempt=attempt, after=after)
        for line in part["lines"]:
            yield part["attempt"], line
        attempt = part["attempt"]
        if part["next"] > after:
            after = part["next"]
            continue
        if attempt < part["newest_attempt"]:
            attempt, after = attempt + 1, 0
        elif is_over:
            return
        else:
            time.sleep(LOOK_SECONDS)
