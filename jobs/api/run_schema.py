"""Shapes of the REST API of runs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from ninja import Field, Schema
from pydantic import AwareDatetime, model_validator

from jobs.models import Run
from jobs.queue_page.later import Place, place_of
from jobs.run_page.series import MAX_POINTS
from jobs.services.bulk import MOST_RUNS
from jobs.services.lifecycle.retry import Way
from jobs.training.workers import devices_up, workers_up
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.verdict import Verdict
from maxaillm.dev.finetune.run.events.json_schema import UnionOfKinds
from maxaillm.dev.finetune.run.events.metric_info import Better


class ErrorOut(Schema):
    code: str
    message: str
    hint: str = ""


class RunOut(Schema):
    id: int
    name: str
    status: str
    phase: str
    step: int
    total_steps: int
    progress: float
    eta_seconds: float | None = Field(None, alias="seconds_left")
    attempt: int
    metrics: dict[str, Any]
    config: dict[str, Any]
    notes: str
    tags: list[str]
    model: int | None = Field(None, description="The tuned model, once there is one.")
    copy_of: int | None = Field(None, alias="copy_of_id")
    start_step: int = Field(description="Where it goes on from `copy_of`; 0: it begins anew.")
    after: int | None = Field(
        None, alias="after_id", description="The run whose model it starts from."
    )
    start_at: datetime | None
    base_model: int | None = Field(None, alias="base_model_id")
    waiting_for: str
    error: ErrorOut | None
    verdict: Verdict | None = Field(
        None, description="How good its model is, beside the base model, once it has ended."
    )
    advice: list[Finding] = Field(
        [], description="What the run doctor says while it trains and at its end, the worst first."
    )
    created: datetime
    started: datetime | None
    ended: datetime | None

    @staticmethod
    def resolve_model(run: Run) -> int | None:
        return run.model.pk if run.kept_model is not None else None

    @staticmethod
    def resolve_tags(run: Run) -> list[str]:
        return [tag.name for tag in run.tags.all()]


class QueuePlaceOut(Schema):
    position: int | None = Field(description="From 1; null while it is not in turn yet.")
    why: str
    expected_start: datetime | None
    held: bool = Field(description="Whether it waits for a person to choose.")


class RunDetailOut(RunOut):
    queue: QueuePlaceOut | None = Field(None, description="While it is queued.")

    @staticmethod
    def resolve_queue(run: Run) -> Place | None:
        return place_of(run, devices_up(workers_up()))


class EventOut(Schema):
    seq: int
    kind: str
    step: int | None
    time: float
    data: dict[str, Any]


class EventsOut(Schema):
    items: list[Annotated[EventOut, UnionOfKinds()]]
    last: int = Field(description="Number of the run's newest event.")


class EventsIn(Schema):
    after: int = Field(0, ge=0, le=2**62)
    limit: int = Field(500, ge=1, le=1000)


class SeriesIn(Schema):
    metric: str = "loss"
    max_points: int = Field(MAX_POINTS, ge=10, le=5000)


class SeriesOut(Schema):
    """A metric by step; null where it was no number. Long runs are thinned, spikes kept."""

    metric: str
    label: str
    unit: str
    better: Better
    step: list[int]
    value: list[float | None]
    epoch: list[float | None]
    tokens: list[float | None]
    time: list[float]


class EstimateOut(Schema):
    trainable_parameters: int | None
    total_parameters: int | None
    training_rows: int | None
    validation_rows: int | None = Field(description="Held out: no step sees them.")
    learning_rate: float | None
    epochs: float | None = Field(description="How often each row is seen.")
    steps: int | None
    tokens: int | None
    memory_bytes: dict[str, int] | None = Field(
        description="weights, optimizer, gradients, activations, total"
    )
    available_bytes: int | None
    fits: bool | None
    seconds: float | None
    disk_bytes: int | None
    cut_rows: int | None = Field(description="Rows that the maximum length cuts, about.")
    cut_tokens: int | None = Field(description="What these rows lose, about.")
    findings: list[dict[str, Any]]


class CancelIn(Schema):
    save: bool = Field(False, description="Keep the model as it is when the run stops.")


class LabelsIn(Schema):
    """What is left out stays as it is."""

    name: str | None = None
    notes: str | None = None
    tags: list[str] | None = None


class BulkIn(Schema):
    action: Literal["stop", "delete", "tag"]
    runs: list[Annotated[int, Field(ge=1, le=2**62)]] = Field(min_length=1, max_length=MOST_RUNS)
    tag: str = Field("", description="For `tag`.")


class RefusalOut(ErrorOut):
    run: int


class BulkOut(Schema):
    done: list[int]
    refused: list[RefusalOut] = Field(description="The others, each with the reason.")


Moment = Annotated[AwareDatetime, Field(description="With its offset from UTC.")]


class LaterIn(Schema):
    """What a run waits for."""

    after: int | None = Field(None, ge=1, le=2**62)
    start_at: Moment | None = None


class StartAtIn(Schema):
    start_at: Moment | None


class AfterIn(Schema):
    run: int | None = Field(None, ge=1, le=2**62)
    anyway: bool = False


class RetryIn(Schema):
    way: Way | None = None


class ContinueIn(Schema):
    dataset: int = Field(ge=1, le=2**62)
    config: dict[str, Any] = Field({}, description="Sections with the options that change.")


class ExtendIn(Schema):
    """One of these: a length in all, or how much more."""

    num_train_epochs: float | None = Field(None, gt=0, le=1000)
    max_steps: int | None = Field(None, gt=0, le=10_000_000)
    epochs: float | None = Field(None, gt=0, le=1000, description="More than the run has.")
    steps: int | None = Field(None, gt=0, le=10_000_000, description="More than the run has.")

    @model_validator(mode="after")
    def one_length(self) -> Self:
        if sum(value is not None for _, value in self) != 1:
            raise ValueError("Give one of num_train_epochs, max_steps, epochs, steps.")
        return self


class ExtensionOut(Schema):
    step: int = Field(description="Of the checkpoint that it goes on from.")
    steps: int = Field(description="In all.")
    rate_before: float
    rate: float = Field(description="The learning rate that it goes on at.")
    rate_at_end: float
    about_rate: str
    stops_no_more: bool = Field(description="Whether early stopping is off from now on.")


class ComparedRun(Schema):
    id: int
    name: str
    status: str


class DifferenceOut(Schema):
    """An option in which the runs are not all alike, in words."""

    path: str
    title: str
    values: dict[int, str]


class PairedOut(Schema):
    value: float = Field(description="The run's figure minus the baseline's.")
    interval: list[float] | None = Field(description="95 %; null where rows are too few.")
    rows: int
    meaning: Literal["better", "worse", "open", "few"]


class MeasuredOut(Schema):
    value: float | None
    interval: list[float] | None
    difference: PairedOut | None = Field(description="Paired, on the same held-out rows.")
    why: str = Field(description="Why there is none.")


class MetricOut(Schema):
    name: str
    label: str
    better: Better
    values: dict[int, MeasuredOut]


class ComparisonOut(Schema):
    runs: list[ComparedRun]
    baseline: int | None
    differences: list[DifferenceOut]
    metrics: list[MetricOut]
    problems: list[str] = Field(description="What could not be compared, a sentence each.")
