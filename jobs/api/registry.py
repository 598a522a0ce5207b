"""The REST API of models as a registry: names, stages, tags, aliases, merges, cards, deletion."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Field, Schema, Status

from jobs import selectors
from jobs.api.engine_jobs import JobOut, model_of, owner_of
from jobs.api.models import ModelOut, router
from jobs.models import AdapterMerge, LanguageModel, ModelAlias
from jobs.services import engine_jobs
from jobs.services.registry import deletion, labels
from jobs.services.registry.about import about_of
from jobs.services.registry.merging import Part, Recipe, order_merge
from maxaillm.dev.finetune.exports.shared.about import model_card
from maxft_site.web.idempotency import idempotent

__all__ = ["router"]


class LabelsIn(Schema):
    name: str | None = None
    stage: str | None = Field(None, description="candidate, production or archived")
    tags: list[str] | None = None


class AliasIn(Schema):
    model: int = Field(description="What the name is to stand for from now on.")


class AliasOut(Schema):
    name: str
    model: int = Field(alias="model_id")


class PartIn(Schema):
    model: int
    weight: float = 0.5


class MergeIn(Schema):
    name: str
    method: str = Field("linear", description="linear, ties, dare_linear or dare_ties")
    density: float | None = Field(None, description="Share of entries kept; empty: 0.5")
    parts: list[PartIn]


class MergeOut(JobOut):
    name: str
    method: str
    density: float | None
    parts: list[dict[str, Any]]
    model: int | None = Field(alias="made_id", description="The new model, once it is made.")


@router.patch("/{int:model_id}", response=ModelOut, summary="Change name, stage or tags")
def describe_model(request: HttpRequest, model_id: int, body: LabelsIn) -> LanguageModel:
    found = model_of(request, model_id)
    labels.describe_model(
        model=found, by=owner_of(request), name=body.name, stage=body.stage, tags=body.tags
    )
    return found


@router.delete("/{int:model_id}", response={204: None}, summary="Delete a tuned model")
def delete_model(request: HttpRequest, model_id: int) -> Status[None]:
    """It can be restored for seven days; then its files go."""
    deletion.delete_model(model=model_of(request, model_id), by=owner_of(request))
    return Status(204, None)


@router.post("/{int:model_id}/restore", response=ModelOut, summary="Take a deletion back")
def restore_model(request: HttpRequest, model_id: int) -> LanguageModel:
    deleted = LanguageModel.objects.deleted_by(owner_of(request))
    deletion.restore_model(model=get_object_or_404(deleted, pk=model_id))
    return model_of(request, model_id)


@router.get("/{int:model_id}/card", summary="Its model card, in Markdown")
def show_card(request: HttpRequest, model_id: int) -> HttpResponse:
    card = str(model_card(about_of(model_of(request, model_id))))
    return HttpResponse(card, content_type="text/markdown; charset=utf-8")


@router.get("/aliases", response=list[AliasOut], summary="Your aliases")
def list_aliases(request: HttpRequest) -> list[ModelAlias]:
    known = ModelAlias.objects.filter(owner=owner_of(request), model__deleted=None)
    return list(known)


@router.put("/aliases/{str:name}", response=AliasOut, summary="Set an alias, or move it")
def set_alias(request: HttpRequest, name: str, body: AliasIn) -> ModelAlias:
    """It stands for the model wherever a model's name is asked for, `/v1` too."""
    model = model_of(request, body.model)
    return labels.set_alias(model=model, by=owner_of(request), name=name)


@router.delete("/aliases/{str:name}", response={204: None}, summary="Remove an alias")
def remove_alias(request: HttpRequest, name: str) -> Status[None]:
    known = ModelAlias.objects.filter(owner=owner_of(request))
    labels.remove_alias(alias=get_object_or_404(known, name=name.replace("\0", "")))
    return Status(204, None)


@router.post("/merges", response={202: MergeOut}, summary="Make one adapter of several")
@idempotent
def create_merge(request: HttpRequest, body: MergeIn) -> Status[AdapterMerge]:
    known = selectors.models_of(request.user)
    parts = [Part(get_object_or_404(known, pk=p.model), p.weight) for p in body.parts[:20]]
    made = order_merge(
        owner=owner_of(request),
        name=body.name,
        recipe=Recipe(body.method, body.density),
        parts=parts,
    )
    return Status(202, made)


@router.get("/merges/{int:merge_id}", response=MergeOut, summary="One merge")
def show_merge(request: HttpRequest, merge_id: int) -> AdapterMerge:
    found = get_object_or_404(AdapterMerge.objects.visible_to(request.user), pk=merge_id)
    engine_jobs.see_to(found)
    return found


@router.post("/merges/{int:merge_id}/cancel", response={202: MergeOut}, summary="Stop a merge")
def cancel_merge(request: HttpRequest, merge_id: int) -> Status[AdapterMerge]:
    found = get_object_or_404(AdapterMerge.objects.visible_to(request.user), pk=merge_id)
    engine_jobs.cancel(found)
    found.refresh_from_db()
    return Status(202, found)
