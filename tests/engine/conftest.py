"""Runs of tiny models for the engine's tests."""

from __future__ import annotations

import gc
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.processes.engine_server import IMPORTED_AHEAD
from maxaillm.dev.finetune.processes.imports import uncollected
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.events import Event, read_journal
from tests import tiny

Train = Callable[..., list[Event]]


@pytest.fixture(scope="module", autouse=True)
def libraries() -> None:
    """A Trainer collects garbage: among all the libraries' objects it would seek half a second."""
    with uncollected():
        for name in (*IMPORTED_AHEAD, "trl"):
            import_module(name)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_llama(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_gpt2(tmp_path_factory.mktemp("models") / "gpt2", chat_template=False)


@pytest.fixture(scope="session")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    return tiny.write_lines(folder / "chats.jsonl", tiny.conversations(24))


@pytest.fixture
def train(tmp_path: Path, chats: Path) -> Train:
    """Train and give the journal; a failure of the run is raised."""

    def run(base: Path, folder: str = "run", resume: Any = None, /, **sections: Any) -> list[Event]:
        config = RunConfig.parse(tiny.run_config(base, chats, **sections))
        with Attempt(tmp_path / folder) as attempt:
            MaxHuggingFaceFineTuning(config, attempt).run(resume)
        return list(read_journal(tmp_path / folder / "events.jsonl"))

    return run


def losses(events: list[Event]) -> dict[int, Any]:
    """Step -> loss, the last one where a step came twice."""
    return {event.step or 0: event.data["loss"] for event in events if event.kind == "log"}
