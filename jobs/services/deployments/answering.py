"""Which model answers for a deployment now, or why none does."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.models import Deployment, LanguageModel
from jobs.services.names import family_of
from maxaillm.dev.finetune.errors import FineTuneError


class NotAnsweringError(FineTuneError):
    """A deployment that answers nothing now. 410: asking again is of no use until somebody acts."""

    status = 410


class StoppedError(NotAnsweringError):
    code = "deployment_stopped"


class ModelGoneError(NotAnsweringError):
    code = "model_deleted"


def require_answering(deployment: Deployment) -> LanguageModel:
    """The model that answers. Raises StoppedError, ModelGoneError."""
    if not deployment.is_running:
        raise StoppedError(
            f"The deployment {deployment.name!r} is stopped.", "Its owner can start it again."
        )
    model = model_of(deployment)
    if model is None:
        raise ModelGoneError(
            f"The model of the deployment {deployment.name!r} was deleted.",
            "Its owner can choose another one for it.",
        )
    return model


def model_of(deployment: Deployment) -> LanguageModel | None:
    """The chosen model, or the newest of the family; None where it is not there any more."""
    if deployment.family:
        return newest(family_members(deployment))
    there = LanguageModel.objects.visible_to(deployment.owner)
    return there.filter(deployments=deployment).select_related("run", "base").first()


def family_members(deployment: Deployment) -> list[LanguageModel]:
    """What the owner's runs of the family's name have made, the newest first."""
    made = LanguageModel.objects.filter(
        owner=deployment.owner_id, deleted=None, run__name__startswith=deployment.family
    )
    found = made.select_related("run", "base").order_by("-created", "-pk")
    return [
        model for model in found if model.run and family_of(model.run.name) == deployment.family
    ]


def newest(models: Iterable[LanguageModel]) -> LanguageModel | None:
    """The newest that its run's verdict does not call worse; where all are, the newest."""
    found = list(models)
    good = (model for model in found if model.run and model.run.is_promising)
    return next(good, found[0] if found else None)
