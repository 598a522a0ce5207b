"""Every write to deployments and their keys."""

from __future__ import annotations

import re

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from jobs.models import Deployment, DeploymentKey, LanguageModel
from jobs.models.deployment import KEY_START, NAME_PATTERN, NAME_RULE
from jobs.services.names import family_of
from maxaillm.dev.finetune.errors import ConfigError, FineTuneError, Problem

MOST = 100
"""Deployments of one person."""
State = Deployment.State


class TooManyDeploymentsError(FineTuneError):
    """Somebody has as many deployments, or a deployment as many keys, as there may be."""

    code = "too_many"
    status = 409


class DeploymentOptions(BaseModel):
    """Limits of a deployment, and what it writes down."""

    model_config = ConfigDict(extra="forbid")

    requests_per_minute: int = Field(
        600,
        ge=1,
        le=100_000,
        title="Requests a minute",
        description="Of all keys together. What is over it is answered 429, with the time to wait.",
    )
    tokens_per_minute: int = Field(
        0,
        ge=0,
        le=100_000_000,
        title="Tokens a minute",
        description="Of prompts and answers, counted when an answer ends. 0: no limit.",
    )
    concurrent: int = Field(
        64,
        ge=1,
        le=64,
        title="Requests at once",
        description="That wait or are being answered. 64 is what one person may have in all.",
    )
    keeps_log: bool = Field(
        True,
        title="Request log",
        description="Writes down each request: when, with which key, how long, how many tokens. "
        "Never its texts.",
    )
    log_days: int = Field(
        30,
        ge=1,
        le=365,
        title="Log is kept for",
        description="Older entries are deleted, and the oldest of more than 10,000.",
        json_schema_extra={"unit": "days"},
    )


def create(
    *,
    owner: User,
    model: LanguageModel,
    name: str,
    follows_family: bool,
    options: DeploymentOptions,
) -> Deployment:
    """Deploy a model that `owner` sees. Raises ConfigError, TooManyDeploymentsError."""
    require_name(name)
    family = family_for(model) if follows_family else ""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=owner.pk)  # two at once can't both be the last
        if owner.deployments.count() >= MOST:
            raise TooManyDeploymentsError(
                f"There are {MOST} deployments already, as many as one person may have.",
                "Delete one that is not used any more.",
            )
        if owner.deployments.filter(name=name).exists():
            raise refused("name", f"There is a deployment named {name!r} already.", name)
        return Deployment.objects.create(
            owner=owner, name=name, model=model, family=family, **options.model_dump()
        )


def require_name(name: str) -> None:
    if not re.match(NAME_PATTERN, name):
        raise refused("name", f"{name[:80]!r} can't be a name. {NAME_RULE}", name[:80])


def family_for(model: LanguageModel) -> str:
    """The family that a deployment of `model` may follow. Raises ConfigError for a base model."""
    if model.run is None:
        message = f"{model} was not made by a run, so nothing newer of its family can come."
        raise refused("latest", message, value=True)
    return family_of(model.run.name)


def refused(path: str, message: str, value: JsonValue) -> ConfigError:
    return ConfigError([Problem(path, message, value, "")])


def change(*, deployment: Deployment, options: DeploymentOptions) -> None:
    for name, value in options.model_dump().items():
        setattr(deployment, name, value)
    deployment.save(update_fields=list(DeploymentOptions.model_fields))


def choose_model(*, deployment: Deployment, model: LanguageModel, follows_family: bool) -> None:
    """Let another model, or family, answer under the same name and keys. Raises ConfigError."""
    deployment.family = family_for(model) if follows_family else ""
    deployment.model = model
    deployment.save(update_fields=["model", "family"])


def stop(*, deployment: Deployment) -> bool:
    """Answer nothing from now on; what is being answered ends. False where it was stopped."""
    return move(deployment, came_from=State.RUNNING, to=State.STOPPED)


def start(*, deployment: Deployment) -> bool:
    return move(deployment, came_from=State.STOPPED, to=State.RUNNING)


def move(deployment: Deployment, *, came_from: State, to: State) -> bool:
    found = Deployment.objects.filter(pk=deployment.pk, state=came_from)
    is_moved = bool(found.update(state=to, changed=timezone.now()))
    deployment.refresh_from_db(fields=["state", "changed"])
    return is_moved


def delete(*, deployment: Deployment) -> None:
    """For good: its keys open nothing any more, its log and its counts are gone."""
    deployment.delete()


def make_key(*, deployment: Deployment, name: str, days: int | None) -> tuple[DeploymentKey, str]:
    """A new key and its secret, which nobody can read again. Raises TooManyDeploymentsError."""
    key = DeploymentKey(deployment=deployment, name=name)
    secret = key.hide(KEY_START, days)
    with transaction.atomic():
        Deployment.objects.select_for_update().get(pk=deployment.pk)
        if deployment.keys.count() >= DeploymentKey.MOST:
            raise TooManyDeploymentsError(
                f"{deployment} has {DeploymentKey.MOST} keys already, as many as one may have.",
                "Revoke one that is not used any more.",
            )
        key.save()
    return key, secret
