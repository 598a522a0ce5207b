"""The fetch from the Hub as a child process: started, listened to, given leave to go on."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings

from datasets_app.checking.parent import MEMORY_BYTES
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.processes.child import (
    NETWORK,
    JsonChild,
    allowed_environment,
    json_child,
)
from maxaillm.dev.finetune.processes.limits import Limits

COMMAND = (sys.executable, "-m", "datasets_app.hub.child")
CPU_SECONDS = 120
BYTES_A_CPU_SECOND = 5_000_000
"""What a slow processor receives, unpacks and stores; large data gets so much more time."""
WALL_SECONDS = 300
"""For the list of files; then for retries, in addition to the time that its bytes need."""
BYTES_A_SECOND = 50_000
"""The slowest network that is waited for."""
HUB = r"HF_\w+"
"""The settings of the Hub's library; HF_TOKEN is the one secret that the child gets."""
PLAIN = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_XET": "1",  # it would keep pieces of files in a folder of its own
}
logger = logging.getLogger(__name__)


class Listener(Protocol):
    """What is done at each line of the child."""

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


def fetch_from_hub(task: Mapping[str, Any], listener: Listener) -> Fetched | None:
    """Run one fetch to its end. None where the listener said that nobody waits for it."""
    with json_child(
        COMMAND,
        env=allowed_environment(NETWORK, HUB) | PLAIN,
        cwd=settings.BASE_DIR,
        limits=Limits(MEMORY_BYTES, CPU_SECONDS + task["max_bytes"] // BYTES_A_CPU_SECOND),
        seconds=WALL_SECONDS,
    ) as child:
        child.send_task(task)
        fetched = listen(child, listener)
    if child.stderr:
        logger.warning("Fetching %s ended with:\n%s", task["hub"], child.stderr)
    if fetched is not None and fetched == Fetched():
        fetched.error = {
            "code": "hub_killed",
            "message": f"Fetching {task['hub']} was ended: it took too much time or memory.",
            "hint": "Check again; it begins anew. If it happens again, take a smaller subset.",
        }
    return fetched


def listen(child: JsonChild, listener: Listener) -> Fetched | None:
    fetched = Fetched()
    for kind, content in child.receive():
        if kind == "plan":
            try:
                listener.plan(content)
            except FineTuneError as error:
                child.kill()
                return Fetched(error=dict(error.as_json()))
            child.restart_clock(WALL_SECONDS + content["size_bytes"] / BYTES_A_SECOND)
            child.send("go", content=True)
        elif kind == "listing":
            listener.listing(content)
        elif kind != "progress":
            setattr(fetched, kind, content)
        elif not listener.progress(content):
            child.kill()
            return None
    return fetched
