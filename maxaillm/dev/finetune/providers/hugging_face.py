"""Hugging Face provider: fine-tuning on this machine with transformers and PEFT, step by step."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.history import Evaluation, RunHistory, TokenCounts
from maxaillm.dev.finetune.advice.judge import judge
from maxaillm.dev.finetune.base import MaxFineTuningBase
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.estimate import settle_length
from maxaillm.dev.finetune.methods import Plan
from maxaillm.dev.finetune.run.checkpoints import Checkpoint, disk_full_said, size_bytes
from maxaillm.dev.finetune.run.events.kinds import (
    EvalEvent,
    ResumedEvent,
    SampleEvent,
    SavedEvent,
    StageEvent,
)
from maxaillm.dev.finetune.run.folder import StopAction
from maxaillm.dev.finetune.run.torchrun import rank
from maxaillm.dev.finetune.tasks import TASKS

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers import PreTrainedTokenizerBase as Tokenizer

    from maxaillm.dev.finetune.hf.batches.collate import Sequences
    from maxaillm.dev.finetune.hf.batches.rows import Rows
    from maxaillm.dev.finetune.hf.evaluation.evaluator import HeldOutEvaluator
    from maxaillm.dev.finetune.hf.prepare.base_model import Base
    from maxaillm.dev.finetune.hf.training.callbacks import RunCallback
    from maxaillm.dev.finetune.hf.training.dataset import TaskDataset
    from maxaillm.dev.finetune.hf.training.record import RunRecord
    from maxaillm.dev.finetune.hf.training.tasks import ModelTask
    from maxaillm.dev.finetune.hf.training.trainers.step import StepTrainer


class MaxHuggingFaceFineTuning(MaxFineTuningBase):
    """Tunes a model of the Hugging Face family; the heavy libraries load with the first step."""

    base: Base
    task: ModelTask
    rows: Rows
    model: PreTrainedModel
    tokenizer: Tokenizer
    evaluator: HeldOutEvaluator | None
    final_scores: dict[str, JsonValue]
    surveyed: ModelTask | None = None
    counts: TokenCounts | None = None
    trainer: StepTrainer | None = None
    record: RunRecord | None = None
    callback: RunCallback
    is_loaded = False

    def load(self) -> None:
        """Settle what the configuration leaves open, then open tokenizer and weights."""
        from maxaillm.dev.finetune.exports.shared.whole import on_whole_base
        from maxaillm.dev.finetune.hf.prepare.base_model import open_base

        if self.is_loaded:
            return
        whole = on_whole_base(self.config, self.attempt)
        self.base = open_base(whole, self.attempt, self.surveyed)
        self.config, self.task = self.base.config, self.base.task
        self.tokenizer, self.model = self.base.tokenizer, self.base.model
        self.attempt.check_stop()
        self.is_loaded = True

    def prepare_data(
        self, train_file: str | Path | None = None, validation_file: str | Path | None = None
    ) -> tuple[TaskDataset, TaskDataset | None]:
        """Read, tokenise, hold out, pack. Raises DataError where nothing can be learned."""
        from maxaillm.dev.finetune.hf.prepare.data import RunData
        from maxaillm.dev.finetune.hf.training.dataset import TaskDataset

        self.use_files(train_file, validation_file)
        self.load()
        data = RunData(self.config, self.task, self.tokenizer, self.attempt, self.base.width)
        found, rows, held = data.prepare()
        packed, width = self.base.can_pack(self.attempt), self.base.width
        train = TaskDataset(self.task, rows, packed=packed, width=width)
        made = {"sequences": len(train), "packing_efficiency": train.efficiency}
        self.attempt.emit("stage", name="tokenise", **found.facts, **made)
        self.config, self.steps = settle_length(self.config, len(train))
        self.task, self.rows, self.counts = self.task.under(self.config), rows, found.counts
        if held is None:
            return train, None
        return train, TaskDataset(self.task, held, packed=packed, width=width)

    def use_files(self, train_file: str | Path | None, validation_file: str | Path | None) -> None:
        """Files that are given here count more than those of the configuration."""
        given = {"train_file": train_file, "validation_file": validation_file}
        files = {name: str(path) for name, path in given.items() if path}
        data = self.config.data.model_copy(update=files)
        self.config = self.config.model_copy(update={"data": data})

    def configure_model(self) -> tuple[PreTrainedModel, Tokenizer]:
        """Set up the weights that the method trains, after `prepare_data`, which knows how many
        steps there will be."""
        from transformers import set_seed

        from maxaillm.dev.finetune.hf.kernels.lean_layers import use_lean_layers
        from maxaillm.dev.finetune.hf.prepare.untrained_tokens import tokens_to_train

        self.load()
        set_seed(self.config.training.seed)  # adapters begin with random numbers
        peft_name = TASKS[self.task.name].peft_name
        tokens = tokens_to_train(self.base, self.rows, self.attempt)
        plan = Plan(peft_name, self.steps, self.attempt.warn, self.base.fresh, tokens)
        model = self.config.tuning.prepare(self.model, plan)
        if not self.config.model.compile:  # which could not look into them
            use_lean_layers(model)
        return model, self.tokenizer

    def train(
        self,
        model: Any,
        tokenizer: Tokenizer,
        train_dataset: Sequences,
        eval_dataset: Sequences | None = None,
        resume: Checkpoint | None = None,
    ) -> StepTrainer:
        """Make all steps, or those after `resume`, or fewer where a stop is asked for."""
        from maxaillm.dev.finetune.hf.evaluation import told
        from maxaillm.dev.finetune.hf.loading.hardware import compile_layers
        from maxaillm.dev.finetune.hf.loading.memory import out_of_memory_said
        from maxaillm.dev.finetune.hf.training import callbacks, tracking
        from maxaillm.dev.finetune.hf.training import resume as resuming
        from maxaillm.dev.finetune.hf.training.trainers import Setup, make_trainer

        facts = resuming.facts_of(self.config, train_dataset.rows, self.base.folder)
        if resume:
            resuming.check_belongs(resume, facts, self.attempt)
        given = Setup(
            model, tokenizer, train_dataset, eval_dataset, self.steps,
            callbacks.clear_staging(self.attempt.folder.checkpoints), self.config.model.precision,
            self.attempt,
        )  # fmt: skip
        trainer = make_trainer(self.task, given)
        if self.config.model.compile:
            compile_layers(self.model)
        self.evaluator = None if eval_dataset is None else self.make_evaluator(eval_dataset)
        self.final_scores = {}
        self.callback = callbacks.RunCallback(
            self.config,
            self.attempt,
            trainer,
            facts,
            evaluate=partial(self.evaluator.scores, model) if self.evaluator else None,
            sample=lambda step: self.sample(model, step),
        )
        self.record = self.callback.record
        history, counts = self.record.history, self.counts
        history.tokens = told.with_ends(counts, self.task, model, tokenizer, self.rows)
        history.held_out_rows = len(eval_dataset.rows) if eval_dataset else None
        trainer.add_callback(self.callback)
        self.attempt.observe(*tracking.observers(self.config, self.attempt, trainer, resume))
        self.tell_training(model, resume)
        lost = self.callback.base.before_a_verdict()
        out = out_of_memory_said(self.config)
        with disk_full_said(), out, self.callback.writer, lost:
            trainer.train_or_resume(resume.folder if resume else None, self.steps)
        self.callback.restore_best()
        self.trainer = trainer
        return trainer

    def tell_training(self, model: Any, resume: Checkpoint | None) -> None:
        from maxaillm.dev.finetune.hf.training.arguments import warn_of_unreached

        event = StageEvent(
            name="train",
            total_steps=self.steps,
            epochs=self.config.training.num_train_epochs,
            total_parameters=sum(p.numel() for p in model.parameters()),
            trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
            device=str(self.base.device),
            precision=self.config.model.precision,
        )
        self.attempt.emit(event)
        if resume:
            self.attempt.emit(ResumedEvent(checkpoint=resume.folder.name), resume.step)
            self.callback.record.resume(resume.folder)
            return
        warn_of_unreached(self.config.training, self.steps, self.attempt)
        self.callback.base.begin(partial(self.measure_base, model), self.callback.trainer)

    def measure_base(self, model: Any) -> None:
        """What the run will be compared with."""
        with self.config.tuning.untuned(model):
            self.sample(model, 0)
            if self.evaluator:
                known = self.evaluator.baseline(model)
                self.attempt.emit(EvalEvent.of(known.scores), 0)
                self.callback.record.begin(known)
        self.callback.tell_findings()

    def sample(self, model: Any, step: int) -> None:
        """Answer the prompts of the configuration as the model is now."""
        from maxaillm.dev.finetune.hf.training.token_loss import measuring

        evaluation = self.config.evaluation
        with measuring(model):
            for index, prompt in enumerate(evaluation.sample_prompts):
                text = self.task.reply(model, self.tokenizer, prompt, evaluation.max_new_tokens)
                self.attempt.emit(SampleEvent(prompt=prompt, answer=text, index=index), step)

    def trained(self) -> StepTrainer:
        """What trained last. Raises FineTuneError where nothing did."""
        if self.trainer is None:
            raise FineTuneError("Nothing was trained yet.", "Call train first.")
        return self.trainer

    def ending(self, trainer: StepTrainer) -> tuple[StopAction | None, int]:
        return self.callback.action, trainer.state.global_step

    def evaluate(self, trainer: StepTrainer | None = None) -> dict[str, JsonValue]:
        """Figures of the model as it will be saved; empty where no rows are held out."""
        from maxaillm.dev.finetune.hf.distributed import agreed_scores
        from maxaillm.dev.finetune.hf.evaluation import told

        trainer = trainer or self.trained()
        if self.evaluator is None:
            self.verdict = judge(self.callback.record.history)
            self.callback.tell_findings(has_ended=True)
            return {}
        self.attempt.emit(StageEvent(name="evaluate"))
        model, self.evaluator.intervals = trainer.model, True
        scores = self.evaluator.scores(model) | self.evaluator.answer_scores(model)
        self.final_scores = agreed_scores(scores)
        if missing := [name for name in self.evaluator.names if name not in self.final_scores]:
            self.attempt.warn(
                f"No held-out row gives what is measured by {', '.join(missing)}.",
                "Hold out rows with questions, or leave the metric out.",
            )
        step = self.callback.step_of_model
        self.attempt.emit(EvalEvent.of(self.final_scores), step)
        told.look(self.callback.record.history, self.evaluator, model, self.rows)
        self.compare(Evaluation(step, self.final_scores), self.evaluator)
        self.evaluator.row_scores.write(self.attempt.folder.row_scores)
        return self.final_scores

    def compare(self, end: Evaluation, evaluator: HeldOutEvaluator) -> None:
        """Judge the model that was measured last beside its base."""
        record = self.callback.record
        base = record.baseline.statistics if record.baseline else None
        record.end(end, evaluator.beside(base, higher_is_better=record.history.higher_is_better))
        self.verdict = judge(record.history)
        self.callback.tell_findings(has_ended=True)

    @property
    def findings(self) -> list[Finding]:
        return self.record.findings if self.record else []

    @property
    def history(self) -> RunHistory | None:
        return self.record.history if self.record else None

    def make_evaluator(self, held_out: Sequences) -> HeldOutEvaluator:
        """What measures by the metrics of the run."""
        from maxaillm.dev.finetune.hf.evaluation.evaluator import HeldOutEvaluator

        names = self.config.evaluation.metrics
        size = self.config.training.per_device_train_batch_size
        best_by = self.config.training.metric_for_best_model
        return HeldOutEvaluator(
            self.task, self.tokenizer, held_out, names, batch_size=size, judged_by=best_by
        )

    def save_model(
        self, trainer: StepTrainer | str | Path | None = None, path: str | Path | None = None
    ) -> Path:
        """A whole folder: weights or adapter, tokenizer, chat template, settings, card."""
        from maxaillm.dev.finetune.hf.loading.saving import save_tuned

        if isinstance(trainer, str | Path):
            trainer, path = None, trainer
        trainer = trainer or self.trained()
        folder = Path(path) if path else self.attempt.folder.model
        self.config.tuning.finish(trainer.model)
        summary = {"steps": self.callback.step_of_model, "scores": self.final_scores}
        if rank():
            return folder
        with disk_full_said():
            base = self.base.folder
            save_tuned(trainer.model, self.tokenizer, folder, self.config, summary, base)
        event = SavedEvent(
            folder=self.attempt.folder.name_of(folder),
            size_bytes=size_bytes(folder),
            kind="adapter" if self.config.tuning.keeps_base else "full",
        )
        self.attempt.emit(event)
        return folder
