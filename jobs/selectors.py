"""Queries on runs, their events and models, for pages, sockets and the API."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import NamedTuple, TypedDict

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count, Q, QuerySet

from datasets_app.models import Dataset
from jobs.models import ACTIVE, Event, LanguageModel, Run, Status
from jobs.models.run import RunQuerySet
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, Evaluation, best_evaluation
from maxaillm.dev.finetune.run.events import kinds
from maxaillm.dev.finetune.run.events.run_metrics import metric_info

AnyUser = User | AnonymousUser
SPARK_POINTS = 28
SHOWN_WITH = ("dataset__dataset", "base_model", "model")


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


DIVERGED = Q(verdict__isnull=False, verdict__code="diverged")
STATES: dict[str, tuple[str, Q]] = {
    "active": ("Active", Q(status__in=[*ACTIVE, Status.QUEUED, Status.PAUSED])),
    "finished": (Status.SUCCEEDED.label, Q(status=Status.SUCCEEDED)),
    "diverged": ("Diverged", DIVERGED),
    "failed": (Status.FAILED.label, Q(status=Status.FAILED) & ~DIVERGED),
    "stopped": (Status.CANCELLED.label, Q(status=Status.CANCELLED)),
}
"""How the list of runs can be narrowed by state."""


def runs_of(user: AnyUser) -> RunQuerySet:
    """All runs of `user`, newest first, with what lists show of them."""
    return Run.objects.visible_to(user).select_related("owner", *SHOWN_WITH).order_by("-pk")


def runs_within_reach_of(user: AnyUser) -> RunQuerySet:
    """What `user` may look at and stop: a superuser, the runs of everybody."""
    return Run.objects.within_reach_of(user).select_related("owner", *SHOWN_WITH).order_by("-pk")


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


class Checkpoints(NamedTuple):
    """The checkpoints of a run that lie on the disk, newest first."""

    rows: list[CheckpointRow]
    removed: int
    """How many were made besides, and gave way to newer ones."""


def checkpoints_of(run: Run) -> Checkpoints:
    """The best one is marked, if one is better than the base model."""
    saved = list(run.events.order_by("-step").typed(kinds.CheckpointEvent))
    found = evaluations_of(run)
    scores = {evaluation.step: evaluation for evaluation in found}
    steps = {0, *(event.step for event, _ in saved)}
    best = best_of(run, [evaluation for evaluation in found if evaluation.step in steps])
    rows = [
        CheckpointRow(
            step=event.step or 0,
            time=event.time,
            size_bytes=payload.size_bytes,
            scores=numbers_of(scores[event.step]) if event.step in scores else {},
            is_best=best is not None and event.step == best.step,
        )
        for event, payload in saved
        if (run.attempt_folder(event.attempt).root / payload.folder).is_dir()
    ]
    return Checkpoints(rows, len(saved) - len(rows))


def numbers_of(found: Evaluation) -> dict[str, float]:
    pairs = ((name, found.number(name)) for name in found.scores)
    return {name: value for name, value in pairs if value is not None}


def evaluations_of(run: Run) -> list[Evaluation]:
    """What was measured on the held-out rows, by step; step 0 is the base model."""
    rows = run.events.filter(step__isnull=False).order_by("step")
    return [
        Evaluation(event.step or 0, payload.measured())
        for event, payload in rows.typed(kinds.EvalEvent)
    ]


def best_of(run: Run, found: Iterable[Evaluation]) -> Evaluation | None:
    """The best by the run's own metric; None where none is better than the base model, or none
    for sure by the verdict on the run."""
    if run.verdict and run.verdict["code"] in {"diverged", "learned_nothing"}:
        return None
    metric, higher_is_better = best_by(run)
    return best_evaluation(found, metric, higher_is_better)


def best_by(run: Run) -> tuple[str, bool]:
    """What a run chooses its best model by, and whether more of it is better."""
    training = run.config.get("training", {})
    metric = str(training.get("metric_for_best_model") or EVAL_LOSS)
    higher = training.get("greater_is_better")
    return metric, metric_info(metric).better == "higher" if higher is None else bool(higher)


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


def models_of(user: AnyUser) -> QuerySet[LanguageModel]:
    """Models that `user` may tune or chat with: base ones first, then tuned ones, newest first."""
    related = ("base", "run__dataset__dataset")
    models = LanguageModel.objects.visible_to(user).select_related(*related)
    return models.annotate(times_tuned=Count("tuned")).order_by("-pk")
