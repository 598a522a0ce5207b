"""Deleting models: hidden at once, gone for good a week later, as runs and datasets are."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import ProtectedError, RestrictedError
from django.utils import timezone

from datasets_app.services.deletion import KEPT
from jobs.models import LanguageModel, Run
from jobs.services.deletion import named
from jobs.services.engine_jobs import delete_export
from jobs.services.registry.labels import require_owner
from maxaillm.dev.finetune.errors import FineTuneError


class ModelInUseError(FineTuneError):
    """A model that others stand on."""

    code = "model_in_use"
    status = 409


def delete_model(*, model: LanguageModel, by: User) -> None:
    """Take a tuned model out of sight; its files go after KEPT. Refused while others stand on it,
    which are named."""
    require_owner(model, by)
    if model.kind == LanguageModel.Kind.BASE:
        raise ModelInUseError(
            f"{model.short_name} is a base model: its files are not the site's.",
            "Delete its folder where it lies, if you don't need it.",
        )
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)
        require_unused(model)
        LanguageModel.objects.filter(pk=model.pk, deleted=None).update(deleted=timezone.now())


def require_unused(model: LanguageModel) -> None:
    """Raises ModelInUseError."""
    runs = [str(run) for run in Run.objects.filter(base_model=model, deleted=None)]
    if model.run:
        runs += [str(run) for run in Run.objects.later().filter(after=model.run)]
    models = [str(tuned) for tuned in LanguageModel.objects.filter(base=model, deleted=None)]
    if runs or models:
        raise ModelInUseError(
            f"{model.name} is the base of {named(runs or models)}.",
            "Delete these first; they are nothing without it.",
        )


def restore_model(*, model: LanguageModel) -> None:
    """Take a deletion back, while the files are there."""
    LanguageModel.objects.filter(pk=model.pk, purged=None).update(deleted=None)


def purge_models() -> int:
    """Remove rows and files of what was deleted a week ago; gives the number of models."""
    due = LanguageModel.objects.filter(deleted__lt=timezone.now() - KEPT, purged=None)
    alone = [model for model in due if model.run is None or model.run.deleted is None]
    return sum(purge_model(model=model) for model in alone)


def purge_model(*, model: LanguageModel) -> bool:
    """Remove a deleted model for good; False where it was taken back meanwhile.

    Chats and later runs may name it: its row then stays, hidden.
    """
    deleted = LanguageModel.objects.filter(pk=model.pk, purged=None).exclude(deleted=None)
    if not deleted.update(purged=timezone.now()):
        return False
    folder = files_of(model)
    for export in model.exports.all():
        delete_export(export)
    try:
        with transaction.atomic():
            LanguageModel.objects.filter(pk=model.pk).delete()
    except (ProtectedError, RestrictedError):
        pass  # the row alone: nothing of it is shown, and no file is left
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    return True


def files_of(model: LanguageModel) -> Path | None:
    """Its own folder; that of a base model is not the site's."""
    if model.folder is not None:
        return model.own_folder
    if model.run is None or model.attempt is None:
        return None
    return model.run.attempt_folder(model.attempt).model
