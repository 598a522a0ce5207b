"""Kinds of events: one class each, with its fields, its metrics and its flags.

To log a further metric, add a field to `LogEvent`; for a further kind, add a class: journal,
curves, charts, page, API and terminal follow.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from maxaillm.dev.finetune.advice.comparison import Comparison
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.verdict import NextStep
from maxaillm.dev.finetune.run.events.metric_info import Chart, MetricInfo
from maxaillm.dev.finetune.run.events.payload import EventPayload, Measurement, Section, register
from maxaillm.dev.finetune.run.folder import StopAction

LOSS = Chart("loss", "Loss")


@register
class StageEvent(EventPayload):
    """A stage of the run begins: load, tokenise, train, evaluate, save, or a provider's own."""

    kind: ClassVar[str] = "stage"

    name: str = Field(max_length=10)
    rows: int | None = None
    tokens: int | None = None
    trained_tokens: int | None = Field(
        None, description="Tokens that are learned, of those that are seen."
    )
    cut_rows: int | None = None
    cut_tokens: int | None = Field(None, description="Tokens of these rows behind the cut.")
    dropped_rows: int | None = None
    sequences: int | None = None
    packing_efficiency: float | None = None
    total_steps: int | None = None
    epochs: float | None = None
    total_parameters: int | None = None
    trainable_parameters: int | None = None
    device: str | None = None
    precision: str | None = None


@register
class ResumedEvent(EventPayload):
    """The run goes on after the step of a checkpoint: later steps come again."""

    kind: ClassVar[str] = "resumed"

    checkpoint: str


@register
class MergedEvent(EventPayload):
    """The run tunes an adapter further: it was merged with its base first."""

    kind: ClassVar[str] = "merged"

    adapter: str = Field(description="The name of its folder.")


@register
class LogEvent(Measurement):
    """Training metrics of the steps since the last one that was logged."""

    kind: ClassVar[str] = "log"

    loss: Annotated[
        float | None,
        MetricInfo(
            "Training loss",
            format="decimal",
            better="lower",
            chart=LOSS,
            trace="training",
            in_progress_line=True,
        ),
    ] = None
    learning_rate: Annotated[
        float | None, MetricInfo("Learning rate", format="scientific", chart="own")
    ] = None
    grad_norm: Annotated[float | None, MetricInfo("Gradient norm", chart="own")] = None
    epoch: Annotated[float | None, MetricInfo("Epoch")] = None
    tokens: Annotated[int | None, MetricInfo("Tokens seen", format="count")] = None
    tokens_per_second: Annotated[
        float | None,
        MetricInfo(
            "Throughput",
            unit="tokens/s",
            format="count",
            better="higher",
            chart="own",
            in_progress_line=True,
        ),
    ] = None
    memory_bytes: Annotated[
        int | None,
        MetricInfo("Memory", unit="B", format="bytes", better="lower", chart="own"),
    ] = None
    sequences_at_once: Annotated[int | None, MetricInfo("Sequences at once", format="count")] = (
        Field(None, description="Given where memory did not suffice for the batch size.")
    )
    reward_accuracy: Annotated[
        float | None, MetricInfo("Reward accuracy", format="percent", better="higher")
    ] = Field(None, description="The share of pairs whose better answer has the higher reward.")
    reward_margin: Annotated[float | None, MetricInfo("Reward margin", better="higher")] = None
    reward_chosen: Annotated[float | None, MetricInfo("Reward of the better answer")] = None
    reward_rejected: Annotated[float | None, MetricInfo("Reward of the worse answer")] = None
    kl: Annotated[float | None, MetricInfo("KL divergence from the base model")] = None


@register
class EvalEvent(Measurement):
    """Validation loss, and the registered metrics of the run by their names.

    `<metric>_interval` is [low, high], where a metric lies with 95 % probability. Step 0 is the
    base model.
    """

    kind: ClassVar[str] = "eval"
    section: ClassVar[Section] = "results"
    is_sparse: ClassVar[bool] = True

    eval_loss: Annotated[
        float | None,
        MetricInfo(
            "Validation loss", format="decimal", better="lower", chart=LOSS, trace="validation"
        ),
    ] = None
    rows: int | None = Field(None, description="Held-out rows that were measured.")
    answered_rows: int | None = Field(
        None, description="Those that the model answered, for metrics of answers."
    )
    seconds: float | None = Field(None, description="How long it took.")
    epoch: float | None = None
    tokens: int | None = None


@register
class CheckpointEvent(EventPayload):
    """A checkpoint is staged, verified and renamed."""

    kind: ClassVar[str] = "checkpoint"
    belongs_to_step: ClassVar[bool] = True
    section: ClassVar[Section] = "results"

    folder: str = Field(description="Relative to the attempt's folder.")
    size_bytes: int
    best: bool = Field(False, description="Whether its step is the best so far.")


@register
class SampleEvent(EventPayload):
    """What the model answers to a prompt of the configuration; step 0 is the base model."""

    kind: ClassVar[str] = "sample"
    belongs_to_step: ClassVar[bool] = True
    section: ClassVar[Section] = "results"

    prompt: str
    answer: str
    index: int = Field(0, description="Of the prompt, from 0.")

    @property
    def row_suffix(self) -> str:
        return f":{self.index}"


@register
class WarningEvent(EventPayload):
    """Something that a user should know; the run goes on."""

    kind: ClassVar[str] = "warning"

    message: str
    hint: str = ""


@register
class TrackedEvent(EventPayload):
    """A tracker has begun a run of its own for this one."""

    kind: ClassVar[str] = "tracked"

    tracker: str = Field(max_length=100)
    address: str = Field(
        "", max_length=2000, pattern=r"^(https?://\S+)?$", description="For a browser, if any."
    )

    def text(self) -> str:
        return f"The curves go to {self.tracker}, too. {self.address}".rstrip()


@register
class SavedEvent(EventPayload):
    """The finished model is written."""

    kind: ClassVar[str] = "saved"

    folder: str = Field(description="Relative to the attempt's folder, if it lies in it.")
    size_bytes: int
    model_kind: Literal["adapter", "full"] = Field(alias="kind")


@register
class AdviceEvent(EventPayload):
    """The run doctor's findings, all that hold now, in the place of those before."""

    kind: ClassVar[str] = "advice"

    findings: list[Finding] = Field([], strict=False)

    def text(self) -> str:
        return " ".join(finding.text for finding in self.findings) or "Nothing is wrong any more."


@register
class VerdictEvent(EventPayload):
    """How good what the run made is, beside its base model. It comes before the end."""

    kind: ClassVar[str] = "verdict"

    code: str
    level: str
    title: str
    explanation: str
    next_steps: list[NextStep] = Field([], strict=False)
    comparison: Comparison | None = Field(None, strict=False)

    def text(self) -> str:
        return " ".join((self.title + ".", self.explanation, *(s.text for s in self.next_steps)))


@register
class SucceededEvent(EventPayload):
    """The run did all its steps."""

    kind: ClassVar[str] = "succeeded"
    ends_run: ClassVar[bool] = True

    metrics: EvalEvent = Field(
        EvalEvent(), strict=False, description="Of the model as it was saved."
    )

    def measured(self) -> dict[str, JsonValue]:
        return self.metrics.measured()


@register
class StoppedEvent(EventPayload):
    """The run was asked to stop, and did."""

    kind: ClassVar[str] = "stopped"
    ends_run: ClassVar[bool] = True

    action: StopAction
    saved: bool = Field(description="Whether a model or a checkpoint of the last step is there.")


@register
class FailedEvent(EventPayload):
    """The run could not go on."""

    kind: ClassVar[str] = "failed"
    ends_run: ClassVar[bool] = True

    code: str
    message: str
    hint: str = ""
