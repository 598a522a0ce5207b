"""Exports and evaluations: asked for, begun by a worker, ended with what came of them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from pydantic import JsonValue

from datasets_app.models import DatasetVersion
from jobs.models import EngineJob, Evaluation, Export, LanguageModel
from maxaillm.dev.finetune.config.compatibility import known_metrics
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.exports import choose_export
from maxft_site.web.enqueue import JobSpec, enqueue, enqueue_on_commit

S = EngineJob.Status
MAX_EXPORTS, MAX_WAITING = 20, 10
"""Of one owner: archives that are kept, and evaluations that have not ended."""
KINDS: Mapping[str, type[Export] | type[Evaluation]] = {"export": Export, "evaluation": Evaluation}


class TooManyError(FineTuneError):
    """So many are there already that others would go short."""

    code = "too_many"
    status = 409


def engine_job(job: EngineJob) -> JobSpec:
    """The job of the queue that carries it out: that of long work, for datasets are checked in the
    light one while somebody waits."""
    kind = str(job._meta.model_name)
    task, name = "jobs.tasks.carry_out", f"{kind}-{job.pk}"
    return JobSpec(queue="fetch", task=task, args=(kind, job.pk), id=name)


@transaction.atomic
def order_export(
    *, owner: User, model: LanguageModel, format: str, options: Mapping[str, object]
) -> Export:
    """Queue an export. Raises UnknownComponentError, or ConfigError with every mistake."""
    chosen = choose_export(format, options)
    User.objects.select_for_update().get(pk=owner.pk)  # two requests at once can't both pass
    if Export.objects.visible_to(owner).exclude(status=S.FAILED).count() >= MAX_EXPORTS:
        message = f"You have {MAX_EXPORTS} exports, which are kept until they are deleted."
        raise TooManyError(message, "Fetch one and delete it: DELETE /exports/{id}.")
    export = Export.objects.create(
        owner=owner,
        model=model,
        format=chosen.name,
        options=chosen.model_dump(mode="json", exclude={"name"}),
    )
    enqueue_on_commit(engine_job(export))
    return export


@transaction.atomic
def order_evaluation(
    *,
    owner: User,
    models: Sequence[LanguageModel],
    version: DatasetVersion,
    split: str,
    metrics: Sequence[str],
) -> Evaluation:
    """Queue a measurement. Raises ConfigError for a metric that is not known."""
    known_metrics(metrics, "metrics")
    User.objects.select_for_update().get(pk=owner.pk)
    waiting = Evaluation.objects.visible_to(owner).filter(status__in=[S.QUEUED, S.RUNNING])
    if waiting.count() >= MAX_WAITING:
        message = f"{MAX_WAITING} evaluations of yours have not ended yet."
        raise TooManyError(message, "Wait for one of them.")
    evaluation = Evaluation.objects.create(
        owner=owner, dataset=version, split=split, metrics=list(metrics)
    )
    evaluation.measured.set(models)
    enqueue_on_commit(engine_job(evaluation))
    return evaluation


def see_to(job: EngineJob) -> None:
    """See that one that has not ended is queued or at work: its worker may have died."""
    if not job.has_ended:
        enqueue(engine_job(job))


def begin(kind: str, pk: int) -> Export | Evaluation | None:
    """The work to do; None where it has ended, or was deleted."""
    model = KINDS[kind]
    if not model.objects.filter(pk=pk, status__in=[S.QUEUED, S.RUNNING]).update(status=S.RUNNING):
        return None
    return model.objects.get(pk=pk)


def end(job: Export | Evaluation, **found: Any) -> None:
    """Write down what came of it; where it was deleted meanwhile, nothing is left of it."""
    kind, done = type(job), {"status": S.READY, "ended": timezone.now(), **found}
    if not kind.objects.filter(pk=job.pk, status=S.RUNNING).update(**done):
        shutil.rmtree(job.folder, ignore_errors=True)


def fail(job: Export | Evaluation, error: Mapping[str, JsonValue]) -> None:
    shutil.rmtree(job.folder, ignore_errors=True)
    kind = type(job)
    kind.objects.filter(pk=job.pk, status=S.RUNNING).update(
        status=S.FAILED, ended=timezone.now(), error=dict(error)
    )


def delete_export(export: Export) -> None:
    """Delete an export with its files."""
    shutil.rmtree(export.folder, ignore_errors=True)
    export.delete()
