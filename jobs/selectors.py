"""Queries on runs, their events and models, for pages, sockets and the API."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple, TypedDict

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count, Q, QuerySet

from datasets_app.models import Dataset
from jobs.models import ACTIVE, Event, LanguageModel, Run, Status
from jobs.models.run import RunQuerySet
from maxaillm.dev.finetune.run.events import kinds

AnyUser = User | AnonymousUser
SPARK_POINTS = 28


class EventItem(TypedDict):
    seq: int
    kind: str
    step: int | None
    time: float
    data: dict[str, object]


def events_after(run: Run | int, seq: int, limit: int) -> list[EventItem]:
    """The next events of a run, at most `limit`, in order of seq."""
    rows = Event.objects.filter(run=run, seq__gt=seq).order_by("seq")
    return list(rows.values("seq", "kind", "step", "time", "data")[:limit])


STATES: dict[str, tuple[str, Q]] = {
    "active": ("Active", Q(status__in=[*ACTIVE, Status.QUEUED, Status.PAUSED])),
    "finished": (Status.SUCCEEDED.label, Q(status=Status.SUCCEEDED)),
    "failed": (Status.FAILED.label, Q(status=Status.FAILED)),
    "stopped": (Status.CANCELLED.label, Q(status=Status.CANCELLED)),
}
"""How the list of runs can be narrowed by state."""


class RunFilter(NamedTuple):
    """What a list of runs is narrowed to; empty strings narrow nothing."""

    state: str = ""
    dataset: str = ""
    method: str = ""
    text: str = ""

    def apply(self, runs: RunQuerySet) -> RunQuerySet:
        if self.state in STATES:
            runs = runs.filter(STATES[self.state][1])
        if self.dataset.isdecimal():
            runs = runs.filter(dataset__dataset=int(self.dataset))
        if self.method:
            runs = runs.filter(config__tuning__name=self.method)
        if self.text:
            runs = runs.filter(name__icontains=self.text)
        return runs


def runs_of(user: AnyUser) -> RunQuerySet:
    """All runs of `user`, newest first, with what lists show of them."""
    related = ("dataset__dataset", "base_model", "model")
    return Run.objects.visible_to(user).select_related(*related).order_by("-pk")


def datasets_of_runs(user: AnyUser) -> QuerySet[Dataset]:
    """Datasets that runs of `user` were trained on."""
    used = Run.objects.visible_to(user).values("dataset__dataset")
    return Dataset.objects.filter(pk__in=used).order_by("name")


def counts_by_state(user: AnyUser) -> dict[str, int]:
    """{"all": 12, "active": 2, …}"""
    counted = {name: Count("pk", filter=rule) for name, (_, rule) in STATES.items()}
    return Run.objects.visible_to(user).aggregate(all=Count("pk"), **counted)


def sparks(runs: Iterable[Run]) -> dict[int, list[float]]:
    """Run -> a few losses, evenly spaced; read by exact steps, so that long runs cost no more."""
    wanted = [Q(run=run.pk, step__in=spark_steps(run)) for run in runs if run.step]
    if not wanted:
        return {}
    rows = Event.objects.filter(reduce(or_, wanted), kind=kinds.LogEvent.kind).order_by("step")
    found: dict[int, list[float]] = defaultdict(list)
    for run_id, loss in rows.values_list("run_id", "data__loss"):
        if isinstance(loss, int | float):
            found[run_id].append(loss)
    return dict(found)


def spark_steps(run: Run) -> list[int]:
    every = run.intervals.logging
    stride = max(1, run.step // every // SPARK_POINTS)
    return [every * stride * n for n in range(1, run.step // (every * stride) + 1)]


class Sample(NamedTuple):
    """One prompt and what the model answered to it, step by step; step 0 is the base model."""

    number: int
    prompt: str
    answers: list[tuple[int, str]]

    @property
    def shown(self) -> list[tuple[int, str]]:
        """The first answer, which is the base model's, and the newest two."""
        return self.answers if len(self.answers) <= 3 else [self.answers[0], *self.answers[-2:]]

    @property
    def hidden(self) -> list[tuple[int, str]]:
        return self.answers[1:-2] if len(self.answers) > 3 else []


def samples_of(run: Run) -> list[Sample]:
    found: dict[int, Sample] = {}
    for event, payload in run.events.order_by("step").typed(kinds.SampleEvent):
        sample = found.setdefault(payload.index, Sample(payload.index, payload.prompt, []))
        sample.answers.append((event.step or 0, payload.answer))
    return [found[index] for index in sorted(found)]


class CheckpointRow(NamedTuple):
    step: int
    time: float
    size_bytes: int
    scores: dict[str, float]
    """What was measured at the same step."""
    is_best: bool


def checkpoints_of(run: Run) -> list[CheckpointRow]:
    """The run's checkpoints, newest first; the best one by validation loss is marked."""
    saved = list(run.events.order_by("-step").typed(kinds.CheckpointEvent))
    evaluations = run.events.typed(kinds.EvalEvent)
    scores = {event.step: payload.numbers() for event, payload in evaluations}
    best = best_evaluation(run, at=[event.step for event, _ in saved if event.step is not None])
    return [
        CheckpointRow(
            step=event.step or 0,
            time=event.time,
            size_bytes=payload.size_bytes,
            scores=scores.get(event.step, {}),
            is_best=best is not None and event.step == best.step,
        )
        for event, payload in saved
    ]


class BestEvaluation(NamedTuple):
    loss: float
    step: int


def best_evaluation(run: Run, at: Sequence[int] | None = None) -> BestEvaluation | None:
    """The evaluation with the lowest validation loss, among the steps `at` if given."""
    rows = run.events.filter(step__isnull=False)
    if at is not None:
        rows = rows.filter(step__in=at)
    measured = [
        BestEvaluation(payload.eval_loss, event.step or 0)
        for event, payload in rows.typed(kinds.EvalEvent)
        if payload.eval_loss is not None
    ]
    return min(measured, default=None)


BOOKKEEPING = frozenset({"name", "started", "first_step", "first_step_time"})


def environment_of(run: Run) -> list[tuple[str, str]]:
    """What the trainer said of itself and of the machine, phase by phase."""
    facts = {"worker": run.worker, "attempt": run.attempt}
    for phase in run.phases:
        facts |= {name: value for name, value in phase.items() if name not in BOOKKEEPING}
    return [(name.replace("_", " "), in_words(value)) for name, value in facts.items() if value]


def in_words(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def newest_log(run: Run) -> dict[str, float]:
    """The numbers of the newest step that was logged."""
    row = run.events.filter(kind=kinds.LogEvent.kind).order_by("-step").first()
    return row.payload.numbers() if row else {}


def first_loss(run: Run) -> float | None:
    row = run.events.filter(kind=kinds.LogEvent.kind).order_by("step").first()
    return row.payload.numbers().get("loss") if row else None


def queue_positions() -> dict[int, int]:
    """Waiting run -> its place in the queue, from 1; over the runs of everybody."""
    waiting = Run.objects.waiting().filter(deleted=None).values_list("pk", flat=True)
    return {pk: place for place, pk in enumerate(waiting, start=1)}


def models_of(user: AnyUser) -> QuerySet[LanguageModel]:
    """Models that `user` may tune or chat with: base ones first, then tuned ones, newest first."""
    related = ("base", "run__dataset__dataset")
    models = LanguageModel.objects.visible_to(user).select_related(*related)
    return models.annotate(times_tuned=Count("tuned")).order_by("-pk")


def lineage_of(model: LanguageModel) -> list[LanguageModel]:
    """What `model` was made from, its oldest ancestor first."""
    found: list[LanguageModel] = []
    base = model.base
    while base is not None and base not in found:
        found.insert(0, base)
        base = base.base
    return found
