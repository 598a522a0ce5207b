"""RunConfig: the one description of a run, for engine, form, API and command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from maxaillm.dev.finetune.components.names import plain_name
from maxaillm.dev.finetune.components.problems import problems_of
from maxaillm.dev.finetune.components.registry import first_line
from maxaillm.dev.finetune.components.sections import (
    ADVANCED,
    Section,
    applies_to,
    one_of,
)
from maxaillm.dev.finetune.config.data import DataSection
from maxaillm.dev.finetune.config.recommended import learning_rate_for, parameters_of
from maxaillm.dev.finetune.config.training import TrainingSection
from maxaillm.dev.finetune.errors import ConfigError
from maxaillm.dev.finetune.methods import TuneMethod, methods
from maxaillm.dev.finetune.methods.lora import LoRA
from maxaillm.dev.finetune.metrics import Answered, metrics
from maxaillm.dev.finetune.model_files.folder import local_name
from maxaillm.dev.finetune.provider_options import Provider, providers
from maxaillm.dev.finetune.provider_options.hugging_face import HuggingFace
from maxaillm.dev.finetune.tasks import TASK_NAMES, TASKS

Precision = Literal["auto", "fp32", "bf16", "fp16"]

if TYPE_CHECKING:
    Tuning = TuneMethod
    MetricName = str
    TaskName = str
    ChosenProvider = Provider
else:
    Tuning = one_of(methods)
    MetricName = Literal[tuple(metrics)]
    TaskName = Literal[TASK_NAMES]
    ChosenProvider = one_of(providers)


class ModelSection(Section):
    """Which model is tuned, and how it is held in memory."""

    name: str = Field(
        min_length=1,
        max_length=500,
        title="Base model",
        description="A starter model, a local folder or a name on the Hugging Face Hub.",
    )
    precision: Precision = Field(
        "auto",
        title="Precision",
        description="auto: bf16 where that is quicker, else fp16 on a GPU and fp32 on a CPU, as "
        "measured.",
        json_schema_extra=ADVANCED,
    )
    quantization: Literal["none", "8bit", "4bit"] = Field(
        "none",
        title="Quantization",
        description="Holds the base in fewer bits, as QLoRA does: less memory, a little slower.",
        json_schema_extra=ADVANCED | applies_to(method="quantizes"),
    )
    gradient_checkpointing: bool = Field(
        False,
        title="Gradient checkpointing",
        description="Computes activations twice instead of keeping them: less memory, slower.",
        json_schema_extra=ADVANCED | applies_to(method="checkpoints_gradients"),
    )
    attention: Literal["auto", "sdpa", "flash_attention_2", "eager"] = Field(
        "auto",
        title="Attention",
        description="auto: FlashAttention on a GPU where it is installed, else torch's own.",
        json_schema_extra=ADVANCED,
    )
    compile: bool = Field(
        False,
        title="Compile",
        description="torch.compile: the first steps take minutes, later ones are faster.",
        json_schema_extra=ADVANCED,
    )
    kernels: Literal["auto", "plain"] = Field(
        "auto",
        title="Kernels",
        description="auto: Liger's fused kernels on a GPU where they are installed.",
        json_schema_extra=ADVANCED,
    )


class EvaluationSection(Section):
    """What is measured, and which prompts are answered while training."""

    metrics: list[MetricName] = Field(
        [],
        title="Metrics",
        description="Measured on the held-out rows. None chosen: what suits the task.",
        json_schema_extra={
            "labels": {name: cls.label for name, cls in metrics.items()},
            "helps": {name: first_line(cls) for name, cls in metrics.items()},
            "groups": {
                name: cls.measured
                for name, cls in sorted(
                    metrics.items(), key=lambda item: item[1].made_of is Answered
                )
            },  # what costs no generation comes first
            "tasks": {name: [*sorted(cls.tasks)] for name, cls in metrics.items()},
        },
    )
    sample_prompts: list[Annotated[str, Field(min_length=1, max_length=4000)]] = Field(
        [],
        max_length=8,
        title="Prompts to sample while training",
        description="One a line; answered by the base model and at each checkpoint.",
    )
    max_new_tokens: int = Field(
        64,
        ge=1,
        le=4096,
        title="Length of the sampled answers",
        description="A sampled answer is cut here.",
        json_schema_extra=ADVANCED
        | {"unit": "tokens"}
        | applies_to(tasks=[name for name, task in TASKS.items() if task.writes]),
    )


class RunConfig(Section):
    """A whole run. `parse` is the way in: it reports every mistake at once."""

    name: Annotated[str, BeforeValidator(plain_name)] = Field(
        "", max_length=120, title="Name", description="Empty: made from model and method."
    )
    provider: ChosenProvider = Field(
        HuggingFace(), title="Provider", description="What carries out the run."
    )
    task: TaskName | None = Field(
        None,
        title="Task",
        description="What the model learns to do. Empty: what the data and the model are for.",
    )
    model: ModelSection
    data: DataSection = DataSection()
    training: TrainingSection = TrainingSection()
    tuning: Tuning = LoRA()
    evaluation: EvaluationSection = EvaluationSection()

    @field_validator("provider", mode="before")
    @classmethod
    def provider_by_name(cls, value: Any) -> Any:
        """A name alone is the provider with its own defaults."""
        return {"name": value} if isinstance(value, str) else value

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> RunConfig:
        """The configuration in `data`.

        A component given without a name, such as `tuning: {r: 8}`, is the default one.
        Raises ConfigError with every mistake, each with path, value and what is allowed.
        """
        try:
            return cls.model_validate(with_default_names(data))
        except ValidationError as error:
            raise ConfigError(problems_of(cls, error)) from None

    def of_this_machine(self, say: Callable[[str], object]) -> RunConfig:
        """The same run, its model a folder where the working directory has one of that name."""
        if not self.provider.local_models:
            return self
        model = {"name": local_name(self.model.name, say)}
        return self.model_copy(update={"model": self.model.model_copy(update=model)})

    @property
    def learning_rate(self) -> float:
        """The learning rate asked for, else the one recommended."""
        return self.training.learning_rate or self.recommended_learning_rate

    @property
    def recommended_learning_rate(self) -> float:
        """For the method, a base model of this size, and the task where it is settled."""
        rate, parameters = self.tuning.recommended_learning_rate, parameters_of(self.model.name)
        return learning_rate_for(rate, parameters, self.task)

    def for_epochs_of(self, steps: int) -> RunConfig:
        """With the epochs that such a file asks for, where none are given; `steps`: of one."""
        return self.model_copy(update={"training": self.training.for_epochs_of(steps)})


def with_default_names(data: Mapping[str, Any]) -> dict[str, Any]:
    filled = dict(data)
    tuning = filled.get("tuning")
    if isinstance(tuning, Mapping) and "name" not in tuning:
        filled["tuning"] = {"name": "lora", **tuning}
    return filled
