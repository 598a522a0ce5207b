"""The order of a run, the same for every provider, and what the specification imports here."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.history import RunHistory
from maxaillm.dev.finetune.advice.judge import judge
from maxaillm.dev.finetune.advice.verdict import Verdict
from maxaillm.dev.finetune.config import RunConfig, legacy
from maxaillm.dev.finetune.data.reading.processor import DataProcessor
from maxaillm.dev.finetune.errors import DivergedError, NotFiniteError
from maxaillm.dev.finetune.evaluator import ModelEvaluator
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.checkpoints import Checkpoint
from maxaillm.dev.finetune.run.events.kinds import (
    EvalEvent,
    StageEvent,
    StoppedEvent,
    SucceededEvent,
    VerdictEvent,
)
from maxaillm.dev.finetune.run.folder import StopAction, write_atomically

if TYPE_CHECKING:
    from maxaillm.model.served import Deployment

__all__ = ["DataProcessor", "MaxFineTuningBase", "ModelEvaluator"]


def __getattr__(name: str) -> Any:
    """`Trainer`, which brings the heavy libraries with it, is imported when asked for."""
    if name != "Trainer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from maxaillm.dev.finetune.hf.training.legacy_trainer import Trainer

    return Trainer


class MaxFineTuningBase(ABC):
    """A run of one configuration inside one attempt; providers fill in the six steps.

    `config` is a RunConfig, its JSON, or the specification's loose dict (`model_name`,
    `training_args`, ...). Without an attempt, one is opened in `training_args["output_dir"]`,
    or `./results`, for the life of this object. `verdict`: how good what was trained last is.
    """

    verdict: Verdict | None = None

    def __init__(
        self, config: RunConfig | Mapping[str, Any], attempt: Attempt | None = None
    ) -> None:
        folder, notes = Path("results"), list[str]()
        if isinstance(config, RunConfig):
            self.config = config
        elif legacy.is_legacy(config):
            self.config, folder, notes = legacy.translate(config)
        else:
            self.config = RunConfig.parse(config)
        self.config = self.config.of_this_machine(notes.append)
        self.attempt = attempt or self.own_attempt(folder)
        for note in notes:
            self.attempt.warn(note)

    def own_attempt(self, folder: Path) -> Attempt:
        """An attempt that is closed when this object is forgotten."""
        stack = ExitStack()
        attempt = stack.enter_context(Attempt(folder))
        weakref.finalize(self, stack.close)
        return attempt

    def run(self, resume: Checkpoint | None = None) -> None:
        """Load, tokenise, train, evaluate, save; the journal says how it ends."""
        config = self.config.model_dump_json(indent=1)
        write_atomically(self.attempt.folder.config, config.encode())
        self.attempt.emit(StageEvent(name="load"))
        self.config = as_begun(self.config, resume)
        self.load()
        train_dataset, eval_dataset = self.prepare_data()
        model, tokenizer = self.configure_model()
        try:
            trainer = self.train(model, tokenizer, train_dataset, eval_dataset, resume)
        except (NotFiniteError, DivergedError):
            self.tell_verdict()
            raise
        action, step = self.ending(trainer)
        if action in {"cancel", "pause", "release"}:
            self.attempt.emit(StoppedEvent(action=action, saved=action != "cancel"), step)
            return
        metrics = {} if action else self.evaluate(trainer)
        if not action:
            self.tell_verdict()
            self.require_kept()
        self.attempt.emit(StageEvent(name="save"))
        self.save_model(trainer)
        if action:
            self.attempt.emit(StoppedEvent(action=action, saved=True), step)
        else:
            self.attempt.emit(SucceededEvent(metrics=EvalEvent.of(metrics)), step)

    @property
    def findings(self) -> list[Finding]:
        """What the run doctor says of what was trained last; empty where a provider has none."""
        return []

    @property
    def history(self) -> RunHistory | None:
        """What the run measured, for the verdict on it; None where a provider does not tell."""
        return None

    def tell_verdict(self) -> None:
        """Judge the run as it is now, and write that down."""
        if self.history is None:
            return
        self.verdict = judge(self.history)
        self.attempt.emit(VerdictEvent.of(self.verdict.model_dump(mode="json")))

    def require_kept(self) -> None:
        """Raises DivergedError where training has ruined the model: it is not saved as a result,
        and its checkpoints stay."""
        if self.verdict and self.verdict.code == "diverged":
            raise DivergedError(f"{self.verdict.title}.", self.verdict.advice)

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
    def evaluate(self, trainer: Any = None) -> dict[str, JsonValue]: ...

    @abstractmethod
    def save_model(self, trainer: Any = None, path: str | Path | None = None) -> Path:
        """`save_model(path)` is understood too: what was trained last is saved there."""

    def export_onnx(self, path: str | Path) -> Path:
        """What was trained last as `path`, with its weights beside it and a parity report.

        Raises ExportError where ONNX does not serve the model.
        """
        from maxaillm.dev.finetune.exports.onnx import export_onnx

        return export_onnx(self.save_model(), path, self.config.model.name)

    def deploy(self, name: str | None = None, port: int = 0) -> Deployment:
        """Serve what was trained last on this machine, by OpenAI's API, until `stop()`: at its
        `base_url`, with its `key`, under `name` (else the run's). `port` 0: one that is free.

        Raises ModelError for a model that does not write text.
        """
        from maxaillm.model.llm import MaxHuggingFaceLLM
        from maxaillm.model.served import Deployment

        llm = MaxHuggingFaceLLM(self.save_model(), base=self.config.model.name)
        return Deployment(llm, name or self.config.name or "model", port)


def as_begun(config: RunConfig, resume: Checkpoint | None) -> RunConfig:
    """The configuration of a run that goes on: what `auto` was stays, whatever it would be now."""
    if resume is None or config.model.precision != "auto":
        return config
    begun = {"precision": resume.facts.get("precision", "auto")}
    return config.model_copy(update={"model": config.model.model_copy(update=begun)})
