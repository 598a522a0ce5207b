"""Folder of an attempt: where its files lie, atomic writes, and the request to stop."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal, NamedTuple

StopAction = Literal["cancel", "save", "pause", "release"]
"""cancel: leave at once. save: leave with a model. pause, release: leave with a checkpoint;
release is the machine's request (a restart), not the user's."""


class RunFolder(NamedTuple):
    """Where an attempt at a run keeps its things. Only fixed names, never a user's string."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "run.json"

    @property
    def journal(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def log(self) -> Path:
        return self.root / "log.txt"

    @property
    def tensorboard(self) -> Path:
        """The curves once more, in TensorBoard's format."""
        return self.root / "tensorboard"

    @property
    def row_scores(self) -> Path:
        """What each held-out row adds to each metric of the model that was kept."""
        return self.root / "row_scores.npz"

    @property
    def stop(self) -> Path:
        return self.root / "stop.json"

    @property
    def heartbeat(self) -> Path:
        return self.root / "heartbeat"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def watch_lock(self) -> Path:
        """Held by who watches the trainer, as `lock` is by the trainer itself."""
        return self.root / "watch.lock"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def base(self) -> Path:
        """The whole model that was made of an adapter, where the run tunes one further."""
        return self.root / "base"

    def name_of(self, folder: Path) -> str:
        """As the journal says it: from here, where it lies inside."""
        return str(folder.relative_to(self.root) if folder.is_relative_to(self.root) else folder)

    def request_stop(self, action: StopAction) -> None:
        """Leave a request that the trainer reads before its next step."""
        write_atomically(self.stop, json.dumps({"action": action}).encode())

    def stop_action(self) -> StopAction | None:
        try:
            action: StopAction = json.loads(self.stop.read_bytes())["action"]
        except FileNotFoundError:
            return None
        return action


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` so that a reader, or a crash, sees the old file or the new one whole."""
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    with staged.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
