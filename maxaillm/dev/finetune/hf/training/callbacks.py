"""Trainer callback: logs, measures, saves and obeys a request to stop, step by step."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue
from transformers import TrainerCallback, TrainerControl, TrainerState

from maxaillm.dev.finetune.advice.divergence import is_diverging
from maxaillm.dev.finetune.advice.history import Evaluation
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import DiskFullError
from maxaillm.dev.finetune.hf import distributed
from maxaillm.dev.finetune.hf.training.record import RunRecord
from maxaillm.dev.finetune.hf.training.trainers.step import StepTrainer
from maxaillm.dev.finetune.processes.resources import peak_rss_bytes
from maxaillm.dev.finetune.run import checkpoints
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.events.kinds import AdviceEvent, CheckpointEvent, EvalEvent
from maxaillm.dev.finetune.run.folder import StopAction
from maxaillm.dev.finetune.run.torchrun import rank

Scores = dict[str, JsonValue]
BYTES_A_PARAMETER = 13
"""In a checkpoint: the weight and Adam's two moments, 4 bytes each, and some room."""


class RunCallback(TrainerCallback):  # type: ignore[misc]
    """Everything that happens between the Trainer's steps, in one order: log, measure, save."""

    def __init__(
        self,
        config: RunConfig,
        attempt: Attempt,
        trainer: StepTrainer,
        facts: Mapping[str, JsonValue],
        evaluate: Callable[[], Scores] | None,
        sample: Callable[[int], None],
    ) -> None:
        self.config, self.attempt, self.trainer, self.facts = config, attempt, trainer, facts
        self.evaluate, self.sample = evaluate, sample
        self.record = RunRecord(config)
        self.action: StopAction | None = None
        self.step_seconds, self.step_began = 0.0, 0.0
        self.losses: list[float] = []
        self.tokens = 0

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.record.history.total_steps = state.max_steps
        if rank() == 0 and self.keeps_best and self.record.resumed_from:
            folder = self.attempt.folder.checkpoints
            checkpoints.carry(state.best_global_step, self.record.resumed_from, folder)

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.step_began = time.monotonic()

    def on_pre_optimizer_step(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look at the step before it moves a weight: a bad one must not reach a checkpoint."""
        own = torch.tensor(self.trainer.pop_step(), dtype=torch.float64)
        loss, taken = distributed.total(own).tolist()
        tokens = round(taken)
        self.losses.append(loss)
        self.tokens += tokens
        state.num_input_tokens_seen += tokens
        self.step_seconds += time.monotonic() - self.step_began
        scaled = self.trainer.args.fp16  # the loss scaler itself skips steps that overflow
        norm = 0.0 if scaled or self.trainer.grad_norm is None else self.trainer.grad_norm
        self.record.add_step(loss, norm, self.trainer.learning_rate)
        for name, value in (("loss", loss), ("gradient", norm)):
            if not isfinite(value):
                self.log(state, state.global_step + 1)
                raise self.record.not_finite(name, value, state.global_step + 1)

    def on_optimizer_step(
        self, args: Any, state: TrainerState, control: TrainerControl, model: Any, **kwargs: Any
    ) -> None:
        self.config.tuning.after_step(model, state.global_step + 1)

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        training, step = self.config.training, state.global_step
        every = training.intervals(state.max_steps)
        is_last = step >= state.max_steps
        if step % every.logging == 0 or is_last:
            self.log(state, step)
        self.look_for_divergence(state, control)
        evaluates = self.is_due(training.eval_strategy, every.evaluation, state)
        if evaluates and not (is_last and not self.keeps_best):
            self.score(state, control)
        self.action = distributed.agreed_action(self.attempt.stop_action())
        control.should_training_stop |= is_last or self.action is not None
        is_due = self.is_due(training.save_strategy, every.saving, state)
        is_due |= self.is_new_best(state)
        leaves = is_last or self.action in {"pause", "release"}
        control.should_save = (is_due or leaves) and self.action not in {"cancel", "save"}
        if control.should_save and rank() == 0:
            self.make_room(state)

    def on_save(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Commit what the Trainer has staged, without the file that holds its arguments."""
        distributed.wait()  # each process stages the state of its own chance
        if rank() == 0:
            self.commit(Path(args.output_dir), state)
        distributed.wait()
        if self.action is None:
            self.sample(state.global_step)

    def commit(self, staging: Path, state: TrainerState) -> None:
        step = state.global_step
        staged = staging / f"checkpoint-{step}"
        for name in ("training_args.bin", "README.md"):
            (staged / name).unlink(missing_ok=True)
        self.record.write(staged)
        folder = self.attempt.folder.checkpoints
        saved = checkpoints.commit(staged, folder / checkpoints.name_of(step), step, self.facts)
        keep = self.config.training.save_total_limit
        checkpoints.prune(folder, keep, state.best_global_step)
        event = CheckpointEvent(
            folder=str(saved.folder.relative_to(self.attempt.folder.root)),
            size_bytes=checkpoints.size_bytes(saved.folder),
            best=state.best_global_step == step,
        )
        self.attempt.emit(event, step)

    def log(self, state: TrainerState, step: int) -> None:
        seconds = self.step_seconds or 1e-9
        self.attempt.emit(
            "log",
            step,
            loss=sum(self.losses) / len(self.losses),
            learning_rate=self.trainer.learning_rate,
            grad_norm=self.trainer.grad_norm,
            epoch=state.epoch,
            tokens=state.num_input_tokens_seen,
            tokens_per_second=self.tokens / seconds,
            memory_bytes=peak_memory(self.trainer.args.device),
            **self.trainer.micro_batches.facts,
            **self.trainer.pop_metrics(),
        )
        at_once = self.trainer.micro_batches.facts.get("sequences_at_once")
        self.record.history.sequences_at_once = at_once
        self.losses, self.tokens, self.step_seconds = [], 0, 0.0

    def look_for_divergence(self, state: TrainerState, control: TrainerControl) -> None:
        """End a run that is lost; one with a model worth keeping ends with that.

        Raises DivergedError.
        """
        if not (self.config.training.stop_when_diverged and is_diverging(self.record.history)):
            return
        if not (self.keeps_best and state.best_global_step):
            raise self.record.diverged(state.global_step)
        control.should_training_stop = True
        self.attempt.warn(
            f"Stopped early: {self.record.lost_words}.",
            f"The model of step {state.best_global_step:,} is kept.",
        )

    def is_due(self, strategy: str, every: int, state: TrainerState) -> bool:
        """Whether something that is done at steps, or after epochs, is done now."""
        if strategy == "epoch":
            return abs(float(state.epoch or 0) - round(float(state.epoch or 0))) < 1e-9
        return strategy == "steps" and state.global_step % every == 0

    @property
    def keeps_best(self) -> bool:
        training = self.config.training
        wants = training.early_stopping_patience or training.load_best_model_at_end
        return bool(wants and self.evaluate)

    def score(self, state: TrainerState, control: TrainerControl) -> None:
        """Measure on the held-out rows; note the best step; stop where patience is at its end."""
        if self.evaluate is None:
            return
        scores, step = distributed.agreed_scores(self.evaluate()), state.global_step
        self.attempt.emit(EvalEvent.of(scores), step)
        found = Evaluation(step, scores)
        self.record.history.evaluations.append(found)
        self.tell_findings()
        best = state.best_metric if state.best_global_step else None
        if self.record.is_best(found, best):
            state.best_metric = found.number(self.record.history.metric)
            state.best_global_step = step
        patience = self.config.training.early_stopping_patience
        waited = self.evaluations_since(state.best_global_step or 0, state)
        if patience and waited >= patience:
            control.should_training_stop = True
            self.attempt.warn(
                f"Stopped early: no better validation loss in {waited} evaluations.",
                f"The model of step {state.best_global_step} is kept."
                if state.best_global_step
                else "None was better than the base model: that of the last step is kept.",
            )

    def tell_findings(self, *, has_ended: bool = False) -> None:
        """Examine the run as it is now; findings that are those of last time are not told again."""
        findings = self.record.examine(has_ended=has_ended)
        if findings is not None:
            self.attempt.emit(AdviceEvent(findings=findings))

    def evaluations_since(self, step: int, state: TrainerState) -> int:
        """Counted from the steps, which a resumed run knows too."""
        training = self.config.training
        epoch = state.global_step / float(state.epoch or 1)
        steps = training.intervals(state.max_steps).evaluation
        every = epoch if training.eval_strategy == "epoch" else steps
        return round((int(state.global_step) - step) / every)

    def is_new_best(self, state: TrainerState) -> bool:
        return self.keeps_best and state.best_global_step == state.global_step

    @property
    def step_of_model(self) -> int:
        """The step whose weights the model has in the end."""
        best = self.trainer.state.best_global_step if self.keeps_best else None
        return int(best or self.trainer.state.global_step)

    def restore_best(self) -> None:
        """Where the best is kept, go back to the weights of the best evaluation."""
        if self.step_of_model == self.trainer.state.global_step:
            return
        places = (self.attempt.folder.checkpoints, self.record.resumed_from)
        best = (place / checkpoints.name_of(self.step_of_model) for place in places if place)
        if found := next((folder for folder in best if folder.is_dir()), None):
            self.trainer._load_from_checkpoint(str(found))

    def make_room(self, state: TrainerState) -> None:
        """Raises DiskFullError unless a checkpoint fits, if need be in an older one's place."""
        folder = self.attempt.folder.checkpoints
        trained = (p.numel() for p in self.trainer.model.parameters() if p.requires_grad)
        needed = sum(trained) * BYTES_A_PARAMETER
        try:
            checkpoints.require_space(folder, needed)
        except DiskFullError:
            checkpoints.prune(folder, keep=1, best_step=state.best_global_step)
            checkpoints.require_space(folder, needed)


def peak_memory(device: torch.device) -> int:
    """The most memory that was ever in use: on a GPU by tensors, else by the process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return peak_rss_bytes()


def clear_staging(folder: Path) -> Path:
    """An empty staging folder; what a killed process left there is gone."""
    staging = folder / checkpoints.STAGING
    if rank() == 0:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
    distributed.wait()
    return staging
