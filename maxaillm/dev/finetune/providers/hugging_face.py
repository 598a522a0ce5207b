"""Fine-tuning on this machine with transformers and PEFT, read from top to bottom."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from maxaillm.dev.finetune import deepspeed
from maxaillm.dev.finetune.base import MaxFineTuningBase
from maxaillm.dev.finetune.checkpoints import Checkpoint, disk_full_said, size_bytes
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.estimate import count_steps
from maxaillm.dev.finetune.events import StopAction
from maxaillm.dev.finetune.fit import settled
from maxaillm.dev.finetune.launch import rank
from maxaillm.dev.finetune.methods import Plan
from maxaillm.dev.finetune.model_folder import check_folder
from maxaillm.dev.finetune.tasks import TASKS

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel
    from transformers import PreTrainedTokenizerBase as Tokenizer

    from maxaillm.dev.finetune.hf.collate import Sequences
    from maxaillm.dev.finetune.hf.evaluate import Judge
    from maxaillm.dev.finetune.hf.tasks import ModelTask
    from maxaillm.dev.finetune.hf.trainer import StepTrainer


class MaxHuggingFaceFineTuning(MaxFineTuningBase):
    """Tunes a model of the Hugging Face family; the heavy libraries load with the first step."""

    task: ModelTask
    model: PreTrainedModel
    tokenizer: Tokenizer
    device: torch.device
    base_folder: Path
    fresh: list[str]
    judge: Judge | None
    final_scores: dict[str, JsonValue]
    surveyed: ModelTask | None = None
    trainer: StepTrainer | None = None
    is_loaded = False

    def load(self) -> None:
        """Check the base model's folder, settle the task, then open tokenizer and weights."""
        from maxaillm.dev.finetune.hf import distributed, hardware, heap, loading

        if self.is_loaded:
            return
        loading.set_threads()
        self.device = loading.choose_device()
        if self.config.model.gradient_checkpointing and self.device.type == "cpu":
            heap.give_back_tensors()
        distributed.join(self.device)
        self.config = hardware.fitted(self.config, self.device, self.attempt.warn)
        self.precision = self.config.model.precision
        deepspeed.checked(self.config)
        self.base_folder = loading.fetch(self.config.model.name)
        self.settle_task(check_folder(self.base_folder))
        self.tokenizer = loading.load_tokenizer(self.base_folder)
        self.open_model()
        self.attempt.check_stop()
        self.is_loaded = True

    def settle_task(self, settings: dict[str, Any]) -> None:
        """The task that was surveyed already, or that is asked for, or that data and model are
        for; `config` names it then."""
        from maxaillm.dev.finetune.hf.data import survey

        self.task = self.surveyed or survey(self.config, settings)
        self.config = settled(self.config, self.task.kind, settings)
        self.task = self.task.under(self.config)
        self.task.check_model(self.config.model.name, settings)
        self.say_checkpointing()

    def say_checkpointing(self) -> None:
        """Tell a user who wants activations computed again where the method can't have that."""
        method = self.config.tuning
        if self.config.model.gradient_checkpointing and not method.checkpoints_gradients:
            self.attempt.warn(
                f"{method.label} can't compute activations again: they are kept.",
                "Lower training.per_device_train_batch_size if the memory does not suffice.",
            )

    def open_model(self) -> None:
        from transformers import set_seed

        from maxaillm.dev.finetune.hf import loading
        from maxaillm.dev.finetune.hf.hardware import with_attention
        from maxaillm.dev.finetune.hf.memory import out_of_memory_said

        dtype = loading.weights_dtype(self.precision, frozen=self.config.tuning.keeps_base)
        quantization = self.config.model.quantization
        held = loading.quantization_options(quantization, dtype, self.device)
        set_seed(self.config.training.seed)  # a new head begins with random numbers
        with out_of_memory_said(self.config):
            load = partial(
                loading.load_model,
                *(self.base_folder, dtype, self.task.auto_class),
                **self.task.model_options(),
                **held,
            )
            attention = self.config.model.attention
            self.model, self.fresh = with_attention(attention, load, self.attempt.warn)
            if not held:  # else it lies there already
                self.model.to(self.device)
        self.task.check_weights(self.base_folder.name, self.fresh)
        self.task.prepare_model(self.model, self.tokenizer)
        loading.require_room(self.model, self.tokenizer)
        self.context = loading.context_length(self.model)
        if self.context:
            self.context -= self.config.tuning.virtual_tokens
        if self.context and self.context < self.config.data.max_length:
            self.attempt.warn(
                f"The model sees {self.context} tokens: longer rows are cut there.",
                f"Set data.max_length to {self.context}.",
            )

    def prepare_data(
        self, train_file: str | Path | None = None, validation_file: str | Path | None = None
    ) -> tuple[Sequences, Sequences | None]:
        """Read, tokenise, hold out, pack. Raises DataError where nothing can be learned."""
        from maxaillm.dev.finetune.hf.collate import Sequences
        from maxaillm.dev.finetune.hf.data import RunData

        self.use_files(train_file, validation_file)
        self.load()
        data = RunData(self.config, self.task, self.tokenizer, self.attempt, self.width)
        found, rows, held = data.prepare()
        packed = self.can_pack()
        train = Sequences(rows, packed=packed, width=self.width, task=self.task)
        self.attempt.tell(
            "stage",
            name="tokenise",
            **found.facts,
            sequences=len(train),
            packing_efficiency=train.efficiency,
        )
        self.steps = count_steps(self.config, len(train))
        if held is None:
            return train, None
        return train, Sequences(held, packed=packed, width=self.width, task=self.task)

    def use_files(self, train_file: str | Path | None, validation_file: str | Path | None) -> None:
        """Files that are given here count more than those of the configuration."""
        given = {"train_file": train_file, "validation_file": validation_file}
        files = {name: str(path) for name, path in given.items() if path}
        data = self.config.data.model_copy(update=files)
        self.config = self.config.model_copy(update={"data": data})

    @property
    def width(self) -> int:
        """The most tokens of a row: what is asked for, as far as the model can see."""
        return min(self.config.data.max_length, self.context or self.config.data.max_length)

    def can_pack(self) -> bool:
        """Whether rows may share a sequence: asked for, and exact with task, method and model."""
        from maxaillm.dev.finetune.hf.attention import take_documents_apart
        from maxaillm.dev.finetune.hf.probe import keeps_rows_apart

        if not (self.config.data.packing and self.task.packs and self.config.tuning.packs):
            return False
        take_documents_apart(self.model)
        if keeps_rows_apart(self.model):
            return True
        self.attempt.warn(
            "Packing is off: rows in one sequence would see each other in this model.",
            "Set data.packing to false to silence this.",
        )
        return False

    def configure_model(self) -> tuple[PreTrainedModel, Tokenizer]:
        """Set up the weights that the method trains, after `prepare_data`, which knows how many
        steps there will be."""
        from transformers import set_seed

        from maxaillm.dev.finetune.hf.dropout import use_cheap_dropout

        self.load()
        set_seed(self.config.training.seed)  # adapters begin with random numbers
        peft_name = TASKS[self.task.name].peft_name
        plan = Plan(peft_name, self.steps, self.attempt.warn, self.fresh)
        model = self.config.tuning.prepare(self.model, plan)
        use_cheap_dropout(model)
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
        from maxaillm.dev.finetune.hf import callbacks
        from maxaillm.dev.finetune.hf import resume as resuming
        from maxaillm.dev.finetune.hf.hardware import compile_layers
        from maxaillm.dev.finetune.hf.memory import out_of_memory_said
        from maxaillm.dev.finetune.hf.tasks import Setup

        rows = train_dataset.rows
        staging = callbacks.clear_staging(self.attempt.folder.checkpoints)
        facts = resuming.facts_of(self.config, rows, self.base_folder)
        if resume:
            resuming.check_belongs(resume, facts, self.attempt)
        given = Setup(
            model, tokenizer, train_dataset, eval_dataset, self.steps, staging, self.precision,
            self.attempt,
        )  # fmt: skip
        trainer = self.task.make_trainer(given)
        if self.config.model.compile:
            compile_layers(self.model)
        self.judge = None if eval_dataset is None else self.make_judge(eval_dataset)
        self.final_scores = {}
        self.callback = callbacks.RunCallback(
            self.config,
            self.attempt,
            trainer,
            facts,
            evaluate=partial(self.judge.scores, model) if self.judge else None,
            sample=lambda step: self.sample(model, step),
        )
        trainer.add_callback(self.callback)
        self.tell_training(model, resume)
        with disk_full_said(), out_of_memory_said(self.config):
            trainer.go_on(resume.folder if resume else None, self.steps)
        self.callback.restore_best()
        self.trainer = trainer
        return trainer

    def tell_training(self, model: Any, resume: Checkpoint | None) -> None:
        self.attempt.tell(
            "stage",
            name="train",
            total_steps=self.steps,
            total_parameters=sum(p.numel() for p in model.parameters()),
            trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
            device=str(self.device),
            precision=self.precision,
        )
        if resume:
            self.attempt.tell("resumed", resume.step, checkpoint=resume.folder.name)
            return
        with self.config.tuning.untuned(model):  # the base model, to compare the tuned one with
            self.sample(model, 0)
            if self.judge:
                scores = self.judge.scores(model) | self.judge.answer_scores(model)
                self.attempt.tell("eval", 0, **scores)

    def sample(self, model: Any, step: int) -> None:
        """Answer the prompts of the configuration as the model is now."""
        from maxaillm.dev.finetune.hf.token_loss import measuring

        evaluation = self.config.evaluation
        with measuring(model):
            for index, prompt in enumerate(evaluation.sample_prompts):
                text = self.task.reply(model, self.tokenizer, prompt, evaluation.max_new_tokens)
                self.attempt.tell("sample", step, prompt=prompt, answer=text, index=index)

    def trained(self) -> StepTrainer:
        """What trained last. Raises FineTuneError where nothing did."""
        if self.trainer is None:
            raise FineTuneError("Nothing was trained yet.", "Call train first.")
        return self.trainer

    def ending(self, trainer: StepTrainer) -> tuple[StopAction | None, int]:
        return self.callback.action, trainer.state.global_step

    def evaluate(self, trainer: StepTrainer | None = None) -> dict[str, JsonValue]:
        """Figures of the model as it will be saved; empty where no rows are held out."""
        trainer = trainer or self.trained()
        if self.judge is None:
            return {}
        self.attempt.tell("stage", name="evaluate")
        model, self.judge.intervals = trainer.model, True
        self.final_scores = self.judge.scores(model) | self.judge.answer_scores(model)
        self.attempt.tell("eval", self.callback.step_of_model, **self.final_scores)
        return self.final_scores

    def make_judge(self, held_out: Sequences) -> Judge:
        """What measures by the metrics of the run."""
        from maxaillm.dev.finetune.hf.evaluate import Judge

        names = self.config.evaluation.metrics
        size = self.config.training.per_device_train_batch_size
        return Judge(self.task, self.tokenizer, held_out, names, batch_size=size)

    def save_model(
        self, trainer: StepTrainer | str | Path | None = None, path: str | Path | None = None
    ) -> Path:
        """A whole folder: weights or adapter, tokenizer, chat template, settings, card."""
        from maxaillm.dev.finetune.hf.saving import save_tuned

        if isinstance(trainer, str | Path):
            trainer, path = None, trainer
        trainer = trainer or self.trained()
        folder = Path(path) if path else self.attempt.folder.model
        self.config.tuning.finish(trainer.model)
        summary = {"steps": self.callback.step_of_model, "scores": self.final_scores}
        if rank():
            return folder
        with disk_full_said():
            save_tuned(trainer.model, self.tokenizer, folder, self.config, summary)
        inside = folder.is_relative_to(self.attempt.folder.root)
        self.attempt.tell(
            "saved",
            folder=str(folder.relative_to(self.attempt.folder.root) if inside else folder),
            size_bytes=size_bytes(folder),
            kind="adapter" if self.config.tuning.keeps_base else "full",
        )
        return folder
