"""The REST API of deployments: models that programs reach by /v1, their keys and what they used."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status
from ninja.pagination import paginate

from jobs import selectors
from jobs.models import Deployment, DeploymentKey, LanguageModel, RequestLog
from jobs.services.deployments import management, usage
from jobs.services.deployments.answering import model_of
from jobs.services.deployments.management import DeploymentOptions
from maxft_site.web.api import Page, user_of
from maxft_site.web.idempotency import idempotent

router = Router(tags=["deployments"])


class ChosenModel(Schema):
    model: int | str = Field(description="A model's id or name.")
    latest: bool = Field(
        False,
        description="Whether the newest model of its family answers: of the runs of the same name, "
        "less the number behind it, the newest that its verdict does not call worse.",
    )


class DeploymentIn(DeploymentOptions, ChosenModel):
    name: str = Field(max_length=63, description="What a request to /v1 calls `model`.")


class DeploymentOut(Schema):
    id: int
    name: str
    base_url: str = Field(description="Of an OpenAI client; its `model` is the name.")
    status: str = Field(description="running or stopped")
    model: int | None = Field(description="Who answers now; null where it was deleted.")
    family: str | None = Field(description="Null where one model answers for good.")
    requests_per_minute: int
    tokens_per_minute: int
    concurrent: int
    keeps_log: bool
    log_days: int
    created: datetime

    @staticmethod
    def resolve_base_url(found: Deployment, context: Any) -> str:
        return str(context["request"].build_absolute_uri("/v1"))

    @staticmethod
    def resolve_status(found: Deployment) -> str:
        return found.state

    @staticmethod
    def resolve_model(found: Deployment) -> int | None:
        model = model_of(found)
        return model.pk if model else None

    @staticmethod
    def resolve_family(found: Deployment) -> str | None:
        return found.family or None


class KeyIn(Schema):
    name: str = Field("key", min_length=1, max_length=100, description="Who or what has it.")
    days: int | None = Field(None, ge=1, le=3650, description="Null: until it is revoked.")


class KeyOut(Schema):
    id: int
    name: str
    prefix: str
    created: datetime
    last_used: datetime | None
    expires: datetime | None


class NewKeyOut(KeyOut):
    key: str = Field(description="Said this once; only its digest is kept.")


class TotalsOut(Schema):
    requests: int
    refused: int = Field(description="Over a limit.")
    errors: int
    prompt_tokens: int
    completion_tokens: int
    first_token_p50: float | None = Field(description="Seconds, to about 5 %.")
    first_token_p95: float | None
    whole_p50: float | None
    whole_p95: float | None


class DayOut(TotalsOut):
    day: date


class UsageOut(Schema):
    days: list[DayOut]


class EntryOut(Schema):
    id: int
    time: datetime
    key: int | None = Field(alias="key_id")
    model: int | None = Field(alias="model_id")
    call: str
    outcome: str
    failed: bool
    prompt_tokens: int
    completion_tokens: int
    first_token_ms: int | None
    whole_ms: int


def own(request: HttpRequest, deployment_id: int) -> Deployment:
    return get_object_or_404(Deployment.objects.visible_to(request.user), pk=deployment_id)


def chosen(request: HttpRequest, reference: int | str) -> LanguageModel:
    if isinstance(reference, int):
        return get_object_or_404(selectors.models_of(request.user), pk=reference)
    model = LanguageModel.objects.visible_to(request.user).named(reference)
    if model is None:
        raise management.refused("model", f"There is no model {reference[:200]!r}.", reference)
    return model


@router.get("", response=list[DeploymentOut], summary="Deployments, newest first")
@paginate(Page)
def list_deployments(request: HttpRequest) -> QuerySet[Deployment]:
    return Deployment.objects.visible_to(request.user).select_related("owner")


@router.post("", response={201: DeploymentOut}, summary="Deploy a model under a name")
@idempotent
def create_deployment(request: HttpRequest, body: DeploymentIn) -> Status[Deployment]:
    owner = user_of(request)
    assert owner is not None
    options = DeploymentOptions.model_validate(
        {name: getattr(body, name) for name in DeploymentOptions.model_fields}
    )
    made = management.create(
        owner=owner,
        model=chosen(request, body.model),
        name=body.name,
        follows_family=body.latest,
        options=options,
    )
    return Status(201, made)


@router.get("/{int:deployment_id}", response=DeploymentOut, summary="One deployment")
def show_deployment(request: HttpRequest, deployment_id: int) -> Deployment:
    return own(request, deployment_id)


@router.delete("/{int:deployment_id}", response={204: None}, summary="Delete it with its keys")
def delete_deployment(request: HttpRequest, deployment_id: int) -> Status[None]:
    management.delete(deployment=own(request, deployment_id))
    return Status(204, None)


@router.put("/{int:deployment_id}/options", response=DeploymentOut, summary="Set limits and log")
def change_deployment(
    request: HttpRequest, deployment_id: int, body: DeploymentOptions
) -> Deployment:
    found = own(request, deployment_id)
    management.change(deployment=found, options=body)
    return found


@router.put("/{int:deployment_id}/model", response=DeploymentOut, summary="Choose who answers")
def choose_model(request: HttpRequest, deployment_id: int, body: ChosenModel) -> Deployment:
    found = own(request, deployment_id)
    model = chosen(request, body.model)
    management.choose_model(deployment=found, model=model, follows_family=body.latest)
    return found


@router.post("/{int:deployment_id}/stop", response=DeploymentOut, summary="Answer nothing more")
def stop_deployment(request: HttpRequest, deployment_id: int) -> Deployment:
    found = own(request, deployment_id)
    management.stop(deployment=found)
    return found


@router.post("/{int:deployment_id}/start", response=DeploymentOut, summary="Answer again")
def start_deployment(request: HttpRequest, deployment_id: int) -> Deployment:
    found = own(request, deployment_id)
    management.start(deployment=found)
    return found


@router.get("/{int:deployment_id}/keys", response=list[KeyOut], summary="Its keys, newest first")
@paginate(Page)
def list_keys(request: HttpRequest, deployment_id: int) -> QuerySet[DeploymentKey]:
    return own(request, deployment_id).keys.all()


@router.post("/{int:deployment_id}/keys", response={201: NewKeyOut}, summary="A new key")
def create_key(request: HttpRequest, deployment_id: int, body: KeyIn) -> Status[dict[str, Any]]:
    """Not repeatable by `Idempotency-Key`: the key would have to be kept."""
    found = own(request, deployment_id)
    key, secret = management.make_key(deployment=found, name=body.name, days=body.days)
    return Status(201, KeyOut.from_orm(key).model_dump() | {"key": secret})


@router.delete("/{int:deployment_id}/keys/{int:key_id}", response={204: None}, summary="Revoke it")
def revoke_key(request: HttpRequest, deployment_id: int, key_id: int) -> Status[None]:
    get_object_or_404(own(request, deployment_id).keys, pk=key_id).delete()
    return Status(204, None)


@router.get("/{int:deployment_id}/usage", response=UsageOut, summary="What was asked, day by day")
def show_usage(
    request: HttpRequest, deployment_id: int, days: Annotated[int, Field(ge=1, le=366)] = 30
) -> dict[str, Any]:
    found = usage.by_day(own(request, deployment_id), days)
    return {"days": [{"day": day, **totals._asdict()} for day, totals in found]}


@router.get("/{int:deployment_id}/log", response=list[EntryOut], summary="Requests, newest first")
@paginate(Page)
def list_requests(request: HttpRequest, deployment_id: int) -> QuerySet[RequestLog]:
    return own(request, deployment_id).log.all()
