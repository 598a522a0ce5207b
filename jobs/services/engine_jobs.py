"""Exports and evaluations: asked for, begun by a worker, ended with what came of them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from pydantic import JsonValue

from datasets_app.models import DatasetVersion
from jobs.models import AdapterMerge, EngineJob, Evaluation, Export, LanguageModel
from maxaillm.dev.finetune.config.compatibility import known_metrics
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.exports import choose_export
from maxft_site.web.enqueue import JobSpec, enqueue, enqueue_on_commit

S = EngineJob.Status
MAX_EXPORTS, MAX_WAITING = 20, 10
"""Of one owner: archives that are kept, and evaluations that have not ended."""
Job = Export | Evaluation | AdapterMerge
KINDS: Mapping[str, type[Export] | type[Evaluation] | type[AdapterMerge]] = {
    "export": Export,
    "evaluation": Evaluation,
    "adaptermerge": AdapterMerge,
}


class TooManyError(FineTuneError):
    """So many are there already that others would go short."""

    code = "too_many"
    status = 409


class EndedError(FineTuneError):
    """It can't be stopped any more."""

    code = "ended"
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
    ended = {S.FAILED, S.CANCELLED}
    if Export.objects.visible_to(owner).exclude(status__in=ended).count() >= MAX_EXPORTS:
        message = f"You have {MAX_EXPORTS} exports, which are kept until they are deleted."
        raise TooManyError(message, "Fetch one and delete it.")
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


def requeue_lost() -> None:
    """Queue again what has not ended and no job stands for any more."""
    for kind in KINDS.values():
        for job in kind.objects.filter(status__in=[S.QUEUED, S.RUNNING]):
            see_to(job)


def begin(kind: str, pk: int) -> Job | None:
    """The work to do; None where it has ended, was deleted, or was interrupted too often."""
    model = KINDS[kind]
    waiting = model.objects.filter(pk=pk, status__in=[S.QUEUED, S.RUNNING])
    begun = {"status": S.RUNNING, "attempt": F("attempt") + 1, "progress": 0, "stage": ""}
    if not waiting.update(**begun):
        return None
    job: Job = model.objects.get(pk=pk)
    if job.attempt > job.MOST_ATTEMPTS:
        fail(job, INTERRUPTED.as_json())
        return None
    return job


class LostError(FineTuneError):
    """Work whose process was killed."""

    code = "interrupted"


INTERRUPTED = LostError(
    "It was interrupted: the process that made it was killed, or its machine went down.",
    "Ask for it again. If that happens each time, the machine may lack memory for this model.",
)


def mine(job: Job) -> QuerySet[Any]:
    """The row, as long as it is at work and this attempt is the newest."""
    return type(job)._default_manager.filter(pk=job.pk, status=S.RUNNING, attempt=job.attempt)


def tell(job: Job, progress: float, stage: str) -> bool:
    """Write down how far it is; False where nobody waits for it any more."""
    return bool(mine(job).update(progress=progress, stage=stage))


def end(job: Job, **found: Any) -> None:
    """Write down what came of it; where nobody waits for it any more, nothing is left of it."""
    done = {"status": S.READY, "ended": timezone.now(), "progress": 1, "stage": "", **found}
    if not mine(job).update(**done):
        give_up(job)


def give_up(job: Job) -> None:
    """Remove the files of what was stopped or deleted, unless a newer attempt works there."""
    wanted = {S.QUEUED, S.RUNNING, S.READY}
    if not type(job)._default_manager.filter(pk=job.pk, status__in=wanted).exists():
        shutil.rmtree(job.folder, ignore_errors=True)


def fail(job: Job, error: Mapping[str, JsonValue]) -> None:
    """A report that comes with the error is kept beside it."""
    said = dict(error)
    parity = said.pop("parity", None)
    found = {"parity": parity} if parity else {}
    if mine(job).update(status=S.FAILED, ended=timezone.now(), error=said, **found):
        shutil.rmtree(job.folder, ignore_errors=True)
    else:
        give_up(job)


def interrupt(kind: str, pk: int) -> None:
    """End what was at work when its process was killed."""
    job = KINDS[kind].objects.filter(pk=pk, status=S.RUNNING).first()
    if job is not None:
        fail(job, INTERRUPTED.as_json())


def cancel(job: Job) -> None:
    """Stop what waits or is at work: its worker looks twice a second. Raises EndedError."""
    waiting = type(job)._default_manager.filter(pk=job.pk, status__in=[S.QUEUED, S.RUNNING])
    if not waiting.update(status=S.CANCELLED, ended=timezone.now(), stage=""):
        raise EndedError(f"{job} has ended already.", "Delete it where you don't need it.")


def delete_export(export: Export) -> None:
    """Delete an export with its files; one at work is stopped."""
    shutil.rmtree(export.folder, ignore_errors=True)
    export.delete()


def sweep_folders() -> None:
    """Remove the files of what is in the database no more."""
    for name, kind in KINDS.items():
        root = Path(settings.DATA_DIR) / f"{name}s"
        known = {str(pk) for pk in kind.objects.values_list("pk", flat=True)}
        for path in root.iterdir() if root.exists() else ():
            if path.name not in known:
                shutil.rmtree(path, ignore_errors=True)
