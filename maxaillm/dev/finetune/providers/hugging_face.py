"""Fine-tuning on this machine with transformers and PEFT, read from top to bottom."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from maxaillm.dev.finetune.base import MaxFineTuningBase
from maxaillm.dev.finetune.checkpoints import Checkpoint, disk_full_said, size_bytes
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.estimate import count_steps
from maxaillm.dev.finetune.events import StopAction
from maxaillm.dev.finetune.examples import has_split
from maxaillm.dev.finetune.methods import Plan
from maxaillm.dev.finetune.running_text import read_documents
from maxaillm.dev.finetune.splits import EVERY_SPLIT, Split
from maxaillm.dev.finetune.tasks import TASKS

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel
    from transformers import PreTrainedTokenizerBase as Tokenizer

    from maxaillm.dev.finetune.hf.collate import Sequences
    from maxaillm.dev.finetune.hf.tokenise import Tokenised
    from maxaillm.dev.finetune.hf.trainer import TokenTrainer


class MaxHuggingFaceFineTuning(MaxFineTuningBase):
    """Tunes a model of the Hugging Face family; the heavy libraries load with the first step."""

    model: PreTrainedModel
    tokenizer: Tokenizer
    device: torch.device
    base_folder: Path
    final_scores: dict[str, JsonValue]
    is_loaded = False

    def load(self) -> None:
        """Check the base model's folder, then open tokenizer and weights."""
        from maxaillm.dev.finetune.hf import loading
        from maxaillm.dev.finetune.hf.memory import out_of_memory_said

        if self.is_loaded:
            return
        loading.require_single_process()
        loading.set_threads()
        self.device = loading.choose_device()
        self.precision = loading.choose_precision(self.config.model.precision, self.device)
        if self.config.model.precision not in {"auto", self.precision}:
            self.attempt.warn(
                f"There is no {self.config.model.precision} on this device: {self.precision} it is."
            )
        folder = self.base_folder = loading.fetch(self.config.model.name)
        self.tokenizer = loading.load_tokenizer(folder)
        dtype = loading.weights_dtype(self.precision, frozen=self.config.tuning.keeps_base)
        with out_of_memory_said(self.config):
            self.model = loading.load_model(folder, dtype).to(self.device)
        loading.require_room(self.model, self.tokenizer)
        self.context = loading.context_length(self.model)
        if self.context and self.context < self.config.data.max_length:
            self.attempt.warn(
                f"The model sees {self.context} tokens: longer rows are cut there.",
                f"Set data.max_length to {self.context}.",
            )
        self.attempt.check_stop()
        self.is_loaded = True

    def prepare_data(
        self, train_file: str | Path | None = None, validation_file: str | Path | None = None
    ) -> tuple[Sequences, Sequences | None]:
        """Read, tokenise, hold out, pack. Raises DataError where nothing can be learned."""
        from maxaillm.dev.finetune.hf.collate import Sequences

        self.load()
        data, seed = self.config.data, self.config.training.seed
        source, held_source = train_file or data.train_file, validation_file or data.validation_file
        if not source:
            raise DataError("No training file is given.", "Set data.train_file.")
        found = self.tokenise(Path(source), {None, "train"})
        rows, held = found.rows, None
        if held_source:
            held = self.tokenise(Path(held_source)).rows
        elif has_split(source, "validation"):
            held = self.tokenise(Path(source), {"validation"}).rows
        elif data.validation_share and len(rows) > 1:
            rows, held = rows.hold_out(data.validation_share, seed)
        else:
            self.attempt.warn(
                "No rows are held out: the validation loss is not measured.",
                "Set data.validation_share or data.validation_file.",
            )
        packed = self.can_pack()
        train = Sequences(rows, packed=packed, width=self.width)
        self.attempt.tell(
            "stage",
            name="tokenise",
            **found.facts,
            sequences=len(train),
            packing_efficiency=train.efficiency,
        )
        self.rows, self.steps = rows, count_steps(self.config, len(train))
        if held is None:
            return train, None
        return train, Sequences(held, packed=packed, width=self.width)

    def tokenise(self, path: Path, splits: Container[Split | None] = EVERY_SPLIT) -> Tokenised:
        """The rows of a file that it puts into one of `splits`; None: into no split by name."""
        from maxaillm.dev.finetune.hf import tokenise

        encoder = tokenise.Encoder(self.tokenizer, self.config.data.train_on, self.width)
        examples = (example for example in read_documents(path) if example.split in splits)
        found = encoder.encode(examples, self.attempt.check_stop)
        tokenise.require_rows(found, path.name)
        if found.cut:
            self.attempt.warn(
                f"{found.cut} of {found.seen} rows of {path.name} were cut to {self.width} tokens.",
                "Raise data.max_length to keep them whole.",
            )
        return found

    @property
    def width(self) -> int:
        """The most tokens of a row: what is asked for, as far as the model can see."""
        return min(self.config.data.max_length, self.context or self.config.data.max_length)

    def can_pack(self) -> bool:
        """Whether rows may share a sequence: asked for, and exact with this method and model."""
        from maxaillm.dev.finetune.hf.probe import keeps_rows_apart

        if not (self.config.data.packing and self.config.tuning.packs):
            return False
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

        self.load()
        set_seed(self.config.training.seed)  # adapters begin with random numbers
        plan = Plan(TASKS[self.config.task].peft_name, self.steps)
        return self.config.tuning.prepare(self.model, plan), self.tokenizer

    def train(
        self,
        model: Any,
        tokenizer: Tokenizer,
        train_dataset: Sequences,
        eval_dataset: Sequences | None = None,
        resume: Checkpoint | None = None,
    ) -> TokenTrainer:
        """Make all steps, or those after `resume`, or fewer where a stop is asked for."""
        from maxaillm.dev.finetune.hf import callbacks
        from maxaillm.dev.finetune.hf import resume as resuming
        from maxaillm.dev.finetune.hf.collate import Collator
        from maxaillm.dev.finetune.hf.memory import out_of_memory_said
        from maxaillm.dev.finetune.hf.trainer import make_trainer

        pad, packed = int(tokenizer.pad_token_id or 0), train_dataset.packed
        staging = callbacks.clear_staging(self.attempt.folder.checkpoints)
        facts = resuming.facts_of(self.config, train_dataset.rows, self.base_folder)
        if resume:
            resuming.check_belongs(resume, facts, self.attempt)
        collator = Collator(train_dataset.rows, pad, packed=packed)
        trainer = make_trainer(self.config, model, train_dataset, collator, staging, self.precision)
        self.measured, self.final_scores = eval_dataset, {}
        self.callback = callbacks.RunCallback(
            self.config,
            self.attempt,
            trainer,
            facts,
            evaluate=(lambda: self.scores(model)) if eval_dataset else None,
            sample=lambda step: self.sample(model, step),
        )
        trainer.add_callback(self.callback)
        self.tell_training(model, resume)
        with disk_full_said(), out_of_memory_said(self.config):
            trainer.go_on(resume.folder if resume else None, self.steps)
        self.callback.restore_best()
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
        self.sample(model, 0)
        if self.measured is not None:  # the base model, to compare the tuned one with
            self.attempt.tell("eval", 0, **self.scores(model), **self.answer_scores(model))

    def sample(self, model: Any, step: int) -> None:
        """Answer the prompts of the configuration as the model is now."""
        from maxaillm.dev.finetune.hf.sampling import answer

        evaluation = self.config.evaluation
        for index, prompt in enumerate(evaluation.sample_prompts):
            text = answer(model, self.tokenizer, prompt, evaluation.max_new_tokens)
            self.attempt.tell("sample", step, prompt=prompt, answer=text, index=index)

    def ending(self, trainer: TokenTrainer) -> tuple[StopAction | None, int]:
        return self.callback.action, trainer.state.global_step

    def evaluate(self, trainer: TokenTrainer) -> dict[str, JsonValue]:
        """Figures of the model as it will be saved; empty where no rows are held out."""
        if self.measured is None:
            return {}
        self.attempt.tell("stage", name="evaluate")
        self.final_scores = self.scores(trainer.model) | self.answer_scores(trainer.model)
        self.attempt.tell("eval", self.callback.step_of_model, **self.final_scores)
        return self.final_scores

    def scores(self, model: PreTrainedModel) -> dict[str, JsonValue]:
        """eval_loss over all held-out tokens, and the metrics that are made of it."""
        from maxaillm.dev.finetune.hf.evaluate import scores_on

        if self.measured is None:
            return {}
        pad, names = int(self.tokenizer.pad_token_id or 0), self.config.evaluation.metrics
        size = self.config.training.per_device_train_batch_size
        return scores_on(model, self.measured, pad, size, names)

    def answer_scores(self, model: PreTrainedModel) -> dict[str, JsonValue]:
        """The metrics that cost a generation a row."""
        from maxaillm.dev.finetune.hf.evaluate import answer_scores

        if self.measured is None:
            return {}
        names = self.config.evaluation.metrics
        return answer_scores(model, self.tokenizer, self.measured.rows, names)

    def save_model(self, trainer: TokenTrainer, path: str | Path | None = None) -> Path:
        """A whole folder: weights or adapter, tokenizer, chat template, settings, card."""
        from maxaillm.dev.finetune.hf.saving import save_tuned

        folder = Path(path) if path else self.attempt.folder.model
        summary = {"steps": self.callback.step_of_model, "scores": self.final_scores}
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
