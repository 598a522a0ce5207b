"""The REST API of exports and evaluations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Body, Field, Router, Schema, Status
from ninja.pagination import paginate

from datasets_app.selectors import ready_versions
from jobs import selectors
from jobs.models import Evaluation, Export, HubPush, LanguageModel
from jobs.services import engine_jobs as services
from jobs.services.registry.hub_push import order_push
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxft_site.web.api import Page
from maxft_site.web.idempotency import idempotent
from maxft_site.web.serving.files import serve_file

exports = Router(tags=["models"])
evaluations = Router(tags=["evaluations"])


class ErrorOut(Schema):
    code: str
    message: str
    hint: str = ""


class JobOut(Schema):
    id: int
    status: str = Field(description="queued, running, ready, failed or cancelled")
    progress: float = Field(description="Share of the work that is done, 0 to 1.")
    stage: str = Field(description="What is being done, in words.")
    error: ErrorOut | None
    created: datetime
    ended: datetime | None


class ExportOut(JobOut):
    model: int = Field(alias="model_id")
    format: str
    options: dict[str, Any]
    manifest: dict[str, Any] | None = Field(description="What it is, and each file's checksum.")
    parity: dict[str, Any] | None = Field(
        description="How equal it answers to the model itself, and which prompts differ."
    )
    size_bytes: int
    sha256: str = Field(description="Of the archive.")


class EvaluationIn(Schema):
    models: list[int] = Field(min_length=1, max_length=10, description="The ids of models.")
    dataset: int
    version: int | None = Field(None, description="Empty: the newest that is ready.")
    split: Literal["train", "validation", "test"] | None = Field(
        None, description="Empty: what is held out, else every row."
    )
    metrics: list[Annotated[str, Field(max_length=40)]] = Field(
        [], max_length=40, description="Empty: all that serve the task."
    )


class EvaluationOut(JobOut):
    models: list[int]
    dataset: int = Field(alias="dataset.dataset_id")
    version: int = Field(alias="dataset.number")
    split: str
    metrics: list[str]
    scores: list[dict[str, Any]] = Field(
        description="Of each model; `<metric>_interval` is where it lies with 95 % probability."
    )

    @staticmethod
    def resolve_models(evaluation: Evaluation) -> list[int]:
        return list(evaluation.measured.order_by("pk").values_list("pk", flat=True))


def owner_of(request: HttpRequest) -> User:
    return cast(User, request.user)


def model_of(request: HttpRequest, model_id: int) -> LanguageModel:
    return get_object_or_404(selectors.models_of(request.user), pk=model_id)


def export_of(request: HttpRequest, export_id: int) -> Export:
    return get_object_or_404(Export.objects.visible_to(request.user), pk=export_id)


@exports.post(
    "/models/{int:model_id}/exports",
    response={202: ExportOut},
    summary="Write a model in another form, in the queue",
)
@idempotent
def create_export(
    request: HttpRequest, model_id: int, body: Body[dict[str, Any]]
) -> Status[Export]:
    """Such as `{"format": "gguf", "type": "Q8_0"}`: the form, adapter, merged, onnx or gguf, and
    its options."""
    model, options = model_of(request, model_id), dict(body)
    name = options.pop("format", None)
    if not isinstance(name, str):
        message, allowed = "An export needs a format.", "adapter, merged, onnx or gguf"
        raise ConfigError([Problem("format", message, None, allowed)])
    owner = owner_of(request)
    made = services.order_export(owner=owner, model=model, format=name, options=options)
    return Status(202, made)


@exports.get(
    "/models/{int:model_id}/exports", response=list[ExportOut], summary="A model's exports"
)
@paginate(Page)
def list_exports(request: HttpRequest, model_id: int) -> QuerySet[Export]:
    return Export.objects.visible_to(request.user).filter(model=model_of(request, model_id))


@exports.get("/exports/{int:export_id}", response=ExportOut, summary="One export")
def show_export(request: HttpRequest, export_id: int) -> Export:
    found = export_of(request, export_id)
    services.see_to(found)
    return found


@exports.get("/exports/{int:export_id}/download", summary="Its files, as one ZIP archive")
def download_export(request: HttpRequest, export_id: int) -> HttpResponseBase:
    """A break is gone on from with the header Range; the manifest has the SHA-256 of each file."""
    found = export_of(request, export_id)
    if found.status != Export.Status.READY or not found.archive.is_file():
        raise Http404
    return serve_file(request, found.archive, name=found.file_name, sha256=found.sha256)


@exports.get(
    "/models/{int:model_id}/exports/{int:export_id}/download", summary="The same", deprecated=True
)
def download_of_model(request: HttpRequest, model_id: int, export_id: int) -> HttpResponseBase:
    if export_of(request, export_id).model_id != model_id:
        raise Http404
    return download_export(request, export_id)


@exports.post(
    "/exports/{int:export_id}/cancel", response={202: ExportOut}, summary="Stop making an export"
)
def cancel_export(request: HttpRequest, export_id: int) -> Status[Export]:
    found = export_of(request, export_id)
    services.cancel(found)
    found.refresh_from_db()
    return Status(202, found)


class PushIn(Schema):
    repository: str = Field(description="owner/name; made where it is not there yet.")
    token: str = Field(description="The caller's own, with the right to write.")
    is_private: bool = Field(True, description="Of a new repository.")


class PushOut(Schema):
    id: int
    export: int = Field(alias="export_id")
    repository: str
    is_private: bool
    status: str = Field(description="queued, running, done or failed")
    url: str
    error: ErrorOut | None


@exports.post(
    "/exports/{int:export_id}/pushes",
    response={202: PushOut},
    summary="Push an export to the Hub, in the queue",
)
def create_push(request: HttpRequest, export_id: int, body: PushIn) -> Status[HubPush]:
    """The token is kept encrypted, and only until the push has ended."""
    made = order_push(
        export=export_of(request, export_id),
        repository=body.repository,
        token=body.token,
        is_private=body.is_private,
    )
    return Status(202, made)


@exports.get(
    "/exports/{int:export_id}/pushes", response=list[PushOut], summary="An export's pushes"
)
@paginate(Page)
def list_pushes(request: HttpRequest, export_id: int) -> QuerySet[HubPush]:
    return export_of(request, export_id).pushes.all()


@exports.delete("/exports/{int:export_id}", response={204: None}, summary="Delete an export")
def delete_export(request: HttpRequest, export_id: int) -> Status[None]:
    services.delete_export(export_of(request, export_id))
    return Status(204, None)


@evaluations.post("", response={202: EvaluationOut}, summary="Measure models, in the queue")
@idempotent
def create_evaluation(request: HttpRequest, body: EvaluationIn) -> Status[Evaluation]:
    models = [model_of(request, pk) for pk in dict.fromkeys(body.models)]
    found = ready_versions(request.user).filter(dataset=body.dataset)
    if body.version is not None:
        found = found.filter(number=body.version)
    version = found.order_by("-number").first()
    if version is None:
        message, allowed = "There is no such dataset that is ready.", "the number of one of yours"
        raise ConfigError([Problem("dataset", message, body.dataset, allowed)])
    made = services.order_evaluation(
        owner=owner_of(request),
        models=models,
        version=version,
        split=body.split or "",
        metrics=body.metrics,
    )
    return Status(202, made)


@evaluations.get("", response=list[EvaluationOut], summary="All evaluations, newest first")
@paginate(Page)
def list_evaluations(request: HttpRequest) -> QuerySet[Evaluation]:
    related = Evaluation.objects.visible_to(request.user).select_related("dataset")
    return related.prefetch_related("measured")


@evaluations.get("/{int:evaluation_id}", response=EvaluationOut, summary="One evaluation")
def show_evaluation(request: HttpRequest, evaluation_id: int) -> Evaluation:
    found = get_object_or_404(Evaluation.objects.visible_to(request.user), pk=evaluation_id)
    services.see_to(found)
    return found
