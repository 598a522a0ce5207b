"""The REST API of models."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema
from ninja.pagination import paginate

from jobs import selectors
from jobs.model_page.listing import DEFAULT, ModelFilter
from jobs.models import LanguageModel
from maxft_site.web.api import Page

router = Router(tags=["models"])


class Ancestor(Schema):
    id: int
    name: str
    kind: str


class ModelOut(Schema):
    id: int
    name: str
    kind: str = Field(description="base, adapter or full")
    base: int | None = Field(None, alias="base_id")
    run: int | None = Field(None, alias="run_id")
    lineage: list[Ancestor] = Field(description="What it was made from, the oldest first.")
    size_bytes: int
    parameters: int | None = Field(description="Null where they were not counted.")
    metrics: dict[str, Any]
    stage: str = Field(description="candidate, production or archived")
    tags: list[str]
    aliases: list[str] = Field(description="Other names that stand for it.")
    made_by: dict[str, Any] | None = Field(
        description="How adapters were merged into it, or which checkpoint it is."
    )
    created: datetime

    @staticmethod
    def resolve_parameters(model: LanguageModel) -> int | None:
        return model.parameters or None

    @staticmethod
    def resolve_aliases(model: LanguageModel) -> list[str]:
        return [alias.name for alias in model.aliases.all()]

    @staticmethod
    def resolve_lineage(model: LanguageModel) -> list[LanguageModel]:
        return model.ancestors


@router.get("", response=list[ModelOut], summary="Base and tuned models, newest first")
@paginate(Page)
def list_models(
    request: HttpRequest, query: str = "", stage: str = "", tag: str = "", sort: str = DEFAULT
) -> QuerySet[LanguageModel]:
    """`query`: words of the name, an alias, a tag or the base. `sort`: made, name, size, stage or
    loss; with a minus the largest first."""
    found = ModelFilter(query=query, stage=stage, tag=tag, sort=sort).models(request.user)
    return found.prefetch_related("aliases")


@router.get("/{int:model_id}", response=ModelOut, summary="One model")
def show_model(request: HttpRequest, model_id: int) -> LanguageModel:
    return get_object_or_404(selectors.models_of(request.user), pk=model_id)
