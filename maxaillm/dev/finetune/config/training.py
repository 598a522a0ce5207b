"""Training options of a run: steps, optimizer, schedule, evaluation, checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from maxaillm.dev.finetune.components.registry import first_line
from maxaillm.dev.finetune.components.sections import ADVANCED, HIDDEN, Section, local, one_of
from maxaillm.dev.finetune.config.intervals import Intervals
from maxaillm.dev.finetune.config.recommended import epochs_for
from maxaillm.dev.finetune.losses import Loss, losses
from maxaillm.dev.finetune.trackers import trackers

if TYPE_CHECKING:
    ChosenLoss = Loss
    TrackerName = str
else:
    ChosenLoss = one_of(losses)
    TrackerName = Literal[tuple(trackers)]


class TrainingSection(Section):
    """How the weights are moved. Names are those of Hugging Face's TrainingArguments."""

    num_train_epochs: float | None = Field(
        None,
        gt=0,
        le=1000,
        title="Epochs",
        description="How often each row is seen. Empty: by the rows, 10 times at most for a small "
        "file and once for a very large one.",
    )
    max_steps: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        title="Stop after",
        description="Ends the run whatever the epochs say. Empty: epochs count.",
        json_schema_extra=ADVANCED | {"unit": "steps"},
    )
    per_device_train_batch_size: int = Field(
        4, ge=1, le=4096, title="Batch size", description="Sequences at once on the device."
    )
    gradient_accumulation_steps: int = Field(
        1,
        ge=1,
        le=4096,
        title="Gradient accumulation",
        description="Batches before a step; batch size times this is the effective batch.",
    )
    learning_rate: float | None = Field(
        None,
        gt=0,
        le=1,
        title="Learning rate",
        description="Size of a step. Empty: what is recommended for the method and for a model of "
        "this size.",
    )
    lr_scheduler_type: Literal[
        "cosine",
        "linear",
        "constant",
        "constant_with_warmup",
        "polynomial",
        "inverse_sqrt",
        "warmup_stable_decay",
        "cosine_with_min_lr",
    ] = Field(
        "cosine",
        title="Schedule",
        description="How the learning rate goes on after the warm-up. cosine_with_min_lr ends at "
        "a tenth of it; warmup_stable_decay falls in the last fifth of the run.",
        json_schema_extra=ADVANCED,
    )
    warmup_steps: int = Field(
        0,
        ge=0,
        le=1_000_000,
        title="Warm-up",
        description="The learning rate rises from zero over so many steps.",
        json_schema_extra=ADVANCED | {"unit": "steps"},
    )
    warmup_ratio: float = Field(
        0,
        ge=0,
        lt=1,
        title="Warm-up as a share",
        description="The warm-up as a part of the whole run; counts where no steps are given.",
        json_schema_extra=ADVANCED,
    )
    optim: Literal["adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "adamw_bnb_8bit"] = (
        Field(
            "adamw_torch_fused",  # of transformers 5, too: the same numbers, fewer passes
            title="Optimizer",
            description="adafactor and 8-bit AdamW need less memory; sgd keeps no state at all.",
            json_schema_extra=ADVANCED,
        )
    )
    weight_decay: float = Field(
        0.01,
        ge=0,
        le=1,
        title="Weight decay",
        description="Pulls weights towards zero; a guard against over-fitting.",
        json_schema_extra=ADVANCED,
    )
    max_grad_norm: float = Field(
        1.0,
        gt=0,
        le=1000,
        title="Gradient clipping",
        description="Longer gradients are shortened to this norm.",
        json_schema_extra=ADVANCED,
    )
    neftune_noise_alpha: float | None = Field(
        None,
        gt=0,
        le=100,
        title="Noise on embeddings",
        description="NEFTune: 5 is usual, against over-fitting to short answers. Empty: none.",
        json_schema_extra=ADVANCED,  # Jain et al. 2023, https://arxiv.org/abs/2310.05914
    )
    seed: int = Field(
        42,
        ge=0,
        le=2**32 - 1,
        title="Seed",
        description="The same seed, data and options give the same run.",
        json_schema_extra=ADVANCED,
    )
    logging_steps: int | None = Field(
        None,
        ge=1,
        le=10_000,
        title="Log every",
        description="How often the curves get a point. Empty: each step, in long runs less often.",
        json_schema_extra=ADVANCED | {"unit": "steps"},
    )
    eval_strategy: Literal["steps", "epoch", "no"] = Field(
        "steps",
        title="Evaluate",
        description="Every so many steps, after each epoch, or only at the end.",
        json_schema_extra=ADVANCED,
    )
    eval_steps: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        title="Evaluate every",
        description="How often the validation loss is measured. Empty: ten times a run.",
        json_schema_extra=ADVANCED | {"unit": "steps"},
    )
    save_strategy: Literal["steps", "epoch", "no"] = Field(
        "steps",
        title="Checkpoint",
        description="Every so many steps, after each epoch, or only at the end.",
        json_schema_extra=ADVANCED,
    )
    save_steps: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        title="Checkpoint every",
        description="An interrupted run goes on from the last one. Empty: each tenth of the run, "
        "but 50 to 500 steps.",
        json_schema_extra=ADVANCED | {"unit": "steps"},
    )
    save_total_limit: int = Field(
        2,
        ge=1,
        le=1000,
        title="Checkpoints kept",
        description="Older ones are deleted; the best one stays besides.",
        json_schema_extra=ADVANCED,
    )
    early_stopping_patience: int | None = Field(
        None,
        ge=1,
        le=1000,
        title="Stop early after",
        description="Evaluations without a better validation loss. Empty: never.",
        json_schema_extra=ADVANCED | {"unit": "evaluations"},
    )
    stop_when_diverged: bool = Field(
        True,
        title="Stop when it diverges",
        description="Ends a run whose training loss stays above one and a half times its start "
        "for a fifth of its steps (20 to 200) and does not fall.",
        json_schema_extra=ADVANCED,
    )
    load_best_model_at_end: bool = Field(
        False,
        title="Keep the best model",
        description="The result is the model of the best evaluation, where one is better than "
        "the base model, not that of the last step.",
        json_schema_extra=ADVANCED,
    )
    metric_for_best_model: str = Field(
        "eval_loss",
        max_length=60,
        pattern=r"^[a-zA-Z0-9_]+$",
        title="Best by",
        description="eval_loss, or the name of a metric that is measured while training.",
        json_schema_extra=ADVANCED,
    )
    greater_is_better: bool | None = Field(
        None,
        title="Greater is better",
        description="Empty: as the metric says of itself.",
        json_schema_extra=HIDDEN,
    )
    loss: ChosenLoss | None = Field(
        None,
        title="Loss",
        description="What training minimises. Empty: what suits the task.",
        json_schema_extra=ADVANCED | {"empty": "What suits the task"},
    )
    report_to: list[TrackerName] = Field(
        [],
        title="Report to",
        description="Trackers that get the curves, too, where they are installed and configured. "
        "TensorBoard's files are written in any case.",
        json_schema_extra=ADVANCED
        | {
            "labels": {name: cls.label for name, cls in trackers.items()},
            "helps": {name: first_line(cls) for name, cls in trackers.items()},
        },
    )
    deepspeed: str | dict[str, Any] | None = Field(
        None,
        title="DeepSpeed",
        description="A configuration of DeepSpeed, which shards what several GPUs hold: an object, "
        "or on the command line the path of a file.",
        json_schema_extra=local(instead="an object with DeepSpeed's options"),
    )
    devices: int = Field(
        1,
        ge=1,
        le=64,
        title="Devices",
        description="GPUs of this machine, or processes on its CPU, that share each batch: the "
        "effective batch grows with them.",
        json_schema_extra=ADVANCED,
    )

    fsdp: Literal["none", "full_shard"] = Field(
        "none",
        title="Sharding",
        description="full_shard: each GPU holds a part of weights, gradients and optimizer (FSDP).",
        json_schema_extra=ADVANCED,
    )
    ddp_find_unused_parameters: bool | None = Field(
        None,
        title="Find unused parameters",
        description="Makes no difference: unused parameters need no search here.",
        json_schema_extra=HIDDEN,
    )

    def for_epochs_of(self, steps: int) -> TrainingSection:
        """With a number of epochs, which a file whose epoch has so many steps asks for where none
        is given."""
        epochs = self.num_train_epochs or epochs_for(steps)
        return self.model_copy(update={"num_train_epochs": epochs})

    def intervals(self, steps: int) -> Intervals:
        """How often a run of so many steps logs, evaluates and saves, where that is not given."""
        usual = Intervals.of(steps)
        return Intervals(
            logging=self.logging_steps or usual.logging,
            evaluation=self.eval_steps or usual.evaluation,
            saving=self.save_steps or usual.saving,
        )

    def unreached(self, steps: int) -> dict[str, int]:
        """Intervals that were given and are longer than a run of so many steps, by their names."""
        strategies = {
            "eval_steps": self.eval_strategy,
            "save_steps": self.save_strategy,
            "logging_steps": "steps",
        }
        given = {name: getattr(self, name) for name, how in strategies.items() if how == "steps"}
        return {name: every for name, every in given.items() if every and every > steps}

    @model_validator(mode="after")
    def shards_once(self) -> Self:
        if self.deepspeed and self.fsdp != "none":
            raise ValueError("Choose DeepSpeed or FSDP: both shard the model.")
        return self

    @model_validator(mode="after")
    def warmup_fits(self) -> Self:
        if self.max_steps and self.warmup_steps >= self.max_steps:
            raise ValueError("The warm-up must be shorter than the run.")
        return self
