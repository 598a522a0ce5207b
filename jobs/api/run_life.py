"""The REST API of what a run does before and after its training: wait, extend, try again, go on."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Status

from datasets_app.models import Dataset
from jobs.api.run_schema import (
    AfterIn,
    ContinueIn,
    ExtendIn,
    ExtensionOut,
    RetryIn,
    RunOut,
    StartAtIn,
)
from jobs.api.runs import owner_of, run_of
from jobs.models import Run
from jobs.services.lifecycle import extension, further, later, retry
from maxft_site.web.idempotency import idempotent

router = Router(tags=["runs"])


@router.post("/{int:run_id}/retry", response={202: RunOut}, summary="The same again, as a new run")
@idempotent
def retry_run(request: HttpRequest, run_id: int, body: RetryIn | None = None) -> Status[Run]:
    """`way`: `checkpoint` goes on from the last one, `smaller_batch` takes half the batch with
    twice the accumulation, `anew` begins again; without it, what fits the cause of the failure.
    A finished run is only trained again with `anew`."""
    way = body.way if body else None
    again = retry.retry_run(run=run_of(request, run_id), by=owner_of(request), way=way)
    return Status(202, again)


@router.post(
    "/{int:run_id}/extend", response={202: RunOut}, summary="The same for longer, as a new run"
)
@idempotent
def extend_run(request: HttpRequest, run_id: int, body: ExtendIn) -> Status[Run]:
    """It goes on from the last checkpoint, optimizer and order of the rows included; the schedule
    of the learning rate is stretched over the whole length."""
    run = run_of(request, run_id)
    asked = extension.plan(run, **body.dict())
    return Status(202, extension.extend_run(run=run, by=owner_of(request), asked=asked))


@router.post(
    "/{int:run_id}/extend/preview", response=ExtensionOut, summary="What an extension would do"
)
def preview_extension(request: HttpRequest, run_id: int, body: ExtendIn) -> dict[str, Any]:
    """Nothing is started."""
    asked = extension.plan(run_of(request, run_id), **body.dict())
    return asked._asdict() | {"about_rate": asked.about_rate}


@router.post(
    "/{int:run_id}/continue",
    response={202: RunOut},
    summary="Its model on other data, as a new run",
)
@idempotent
def continue_run(request: HttpRequest, run_id: int, body: ContinueIn) -> Status[Run]:
    """The same options, with this run's model as the base and another dataset. `config` says what
    is to be otherwise, as in a RunConfig."""
    datasets = Dataset.objects.visible_to(request.user)
    dataset = get_object_or_404(datasets, pk=body.dataset)
    run = run_of(request, run_id)
    return Status(
        202,
        further.continue_run(run=run, by=owner_of(request), dataset=dataset, changes=body.config),
    )


@router.post("/{int:run_id}/after", response=RunOut, summary="What a waiting run starts from")
def wait_for(request: HttpRequest, run_id: int, body: AfterIn) -> Run:
    """Another run's model (`run`), its base model (null), or with `anyway` what the run that it
    waits for has left. 422 where runs would wait for each other in a circle."""
    run, user = run_of(request, run_id), owner_of(request)
    if body.anyway:
        later.start_anyway(run=run, by=user)
        return run_of(request, run_id)
    before = None
    if body.run is not None:
        before = get_object_or_404(Run.objects.visible_to(run.owner), pk=body.run)
    later.wait_for(run=run, before=before, by=user)
    return run_of(request, run_id)


@router.post("/{int:run_id}/start_at", response=RunOut, summary="When a waiting run may start")
def start_when(request: HttpRequest, run_id: int, body: StartAtIn) -> Run:
    """Null: in its turn."""
    later.start_when(run=run_of(request, run_id), start_at=body.start_at, by=owner_of(request))
    return run_of(request, run_id)
