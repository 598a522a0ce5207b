"""The order of a run, the same for every provider."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from maxaillm.dev.finetune.attempt import Attempt
from maxaillm.dev.finetune.checkpoints import Checkpoint
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.events import StopAction, write_atomically


class MaxFineTuningBase(ABC):
    """A run of one configuration inside one attempt; providers fill in the six steps."""

    def __init__(self, config: RunConfig, attempt: Attempt) -> None:
        self.config, self.attempt = config, attempt

    def run(self, resume: Checkpoint | None = None) -> None:
        """Load, tokenise, train, evaluate, save; the journal says how it ends."""
        config = self.config.model_dump_json(indent=1)
        write_atomically(self.attempt.folder.config, config.encode())
        self.attempt.tell("stage", name="load")
        self.load()
        train_dataset, eval_dataset = self.prepare_data()
        model, tokenizer = self.configure_model()
        trainer = self.train(model, tokenizer, train_dataset, eval_dataset, resume)
        action, step = self.ending(trainer)
        if action in {"cancel", "pause", "release"}:
            self.attempt.tell("stopped", step, action=action, saved=action != "cancel")
            return
        metrics = {} if action else self.evaluate(trainer)
        self.attempt.tell("stage", name="save")
        self.save_model(trainer)
        if action:
            self.attempt.tell("stopped", step, action=action, saved=True)
        else:
            self.attempt.tell("succeeded", step, metrics=metrics)

    @abstractmethod
    def load(self) -> None:
        """Find, check and open the base model."""

    @abstractmethod
    def prepare_data(
        self, train_file: str | Path | None = None, validation_file: str | Path | None = None
    ) -> tuple[Any, Any]: ...

    @abstractmethod
    def configure_model(self) -> tuple[Any, Any]: ...

    @abstractmethod
    def train(
        self,
        model: Any,
        tokenizer: Any,
        train_dataset: Any,
        eval_dataset: Any = None,
        resume: Checkpoint | None = None,
    ) -> Any: ...

    @abstractmethod
    def ending(self, trainer: Any) -> tuple[StopAction | None, int]:
        """The request to stop that ended training, if one did, and the last step made."""

    @abstractmethod
    def evaluate(self, trainer: Any) -> dict[str, JsonValue]: ...

    @abstractmethod
    def save_model(self, trainer: Any, path: str | Path | None = None) -> Path: ...

    def deploy(self) -> None:
        raise FineTuneError(
            "This provider does not serve models itself.",
            "Load the saved folder with maxaillm.model.llm.MaxHuggingFaceLLM.",
        )
