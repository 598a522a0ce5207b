"""Who calls, by a key of their own or of a deployment, and which model answers them."""

from __future__ import annotations

from typing import NamedTuple

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja.security import HttpBearer

from jobs.api.openai.errors import UnknownModelError
from jobs.models import Deployment, DeploymentKey, LanguageModel
from jobs.services.deployments.answering import require_answering
from maxft_site.web.api import user_by_key


class Caller(NamedTuple):
    """Whose rights a request has. With a `key` it sees that key's deployment and nothing else."""

    user: User
    key: DeploymentKey | None = None


class Target(NamedTuple):
    """What a request goes to."""

    caller: Caller
    name: str
    """As the request calls it."""
    model: LanguageModel
    deployment: Deployment | None = None

    @property
    def lane(self) -> str:
        """In which line its requests wait: deployments take turns with each other."""
        return f"deployment-{self.deployment.pk}" if self.deployment else "api"


class ClientBearer(HttpBearer):
    """`Authorization: Bearer KEY`: what OpenAI's clients call the API key."""

    async def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        return await sync_to_async(caller_by_key)(request, token)


def caller_by_key(request: HttpRequest, secret: str) -> Caller | None:
    key = DeploymentKey.of(secret)
    if key is not None:
        return Caller(key.deployment.owner, key)
    user = user_by_key(request, secret)
    return Caller(user) if user else None


def caller_of(request: HttpRequest) -> Caller:
    caller = getattr(request, "auth", None)
    assert isinstance(caller, Caller)
    return caller


def deployments_of(caller: Caller) -> list[Deployment]:
    """What the caller may name, the newest first."""
    if caller.key is not None:
        return [caller.key.deployment]
    return list(Deployment.objects.visible_to(caller.user).select_related("owner"))


@sync_to_async
def find_target(caller: Caller, name: str) -> Target:
    """A deployment of that name, else the caller's own model, else the common one.

    Raises UnknownModelError, NotAnsweringError.
    """
    found = next((known for known in deployments_of(caller) if known.name == name), None)
    if found is not None:
        return Target(caller, name, require_answering(found), found)
    model = None
    if caller.key is None:
        visible = LanguageModel.objects.visible_to(caller.user).select_related("owner")
        model = visible.named(name)
    if model is None:
        raise UnknownModelError(f"There is no model {name!r}.", "GET /v1/models lists yours.")
    return Target(caller, model.name, model)
