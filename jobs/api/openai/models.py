"""`/v1/models`: what a caller may name, deployments before models."""

from __future__ import annotations

from datetime import datetime

from asgiref.sync import sync_to_async
from django.http import HttpRequest

from jobs.api.openai.callers import Caller, caller_of, deployments_of
from jobs.api.openai.errors import Json, UnknownModelError
from jobs.api.openai.interface import openai_api
from jobs.models import LanguageModel


def body_of(name: str, created: datetime, owner: str) -> Json:
    facts: Json = {"id": name, "object": "model", "created": int(created.timestamp())}
    return facts | {"owned_by": owner}


@sync_to_async
def names_of(caller: Caller) -> dict[str, Json]:
    """By name; a deployment hides a model that is named like it."""
    deployed = {
        found.name: body_of(found.name, found.created, found.owner.get_username())
        for found in deployments_of(caller)
    }
    if caller.key is not None:
        return deployed
    visible = LanguageModel.objects.visible_to(caller.user).select_related("owner")
    models = {
        model.name: body_of(
            model.name, model.created, model.owner.get_username() if model.owner else "maxft"
        )
        for model in visible.order_by("-created")
    }
    return deployed | {name: body for name, body in models.items() if name not in deployed}


@openai_api.get("/models", summary="The models that can answer")
async def models(request: HttpRequest) -> Json:
    found = await names_of(caller_of(request))
    return {"object": "list", "data": list(found.values())}


@openai_api.get("/models/{path:name}", summary="One model")
async def model(request: HttpRequest, name: str) -> Json:
    found = await names_of(caller_of(request))
    if name not in found:
        raise UnknownModelError(f"There is no model {name!r}.", "GET /v1/models lists yours.")
    return found[name]
