"""What an owner says of a model: its name, its stage, its tags, its aliases."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from jobs.models import LanguageModel, ModelAlias
from jobs.services.labels import LONGEST_NAME, MOST_TAGS, LabelError, tag_name
from maxaillm.dev.finetune.components.names import plain_name

Stage = LanguageModel.Stage
MOST_ALIASES = 100
HOW_TO_CALL = f"A name has 1 to {LONGEST_NAME} characters."


class NotYoursError(LabelError):
    """A model that everybody has."""

    code = "not_yours"
    status = 409


def require_owner(model: LanguageModel, owner: User) -> None:
    """Raises NotYoursError."""
    if model.owner_id != owner.pk:
        raise NotYoursError(
            f"{model.short_name} is everybody's.",
            "What you tune from it is yours to name, tag and delete.",
        )


@transaction.atomic
def describe_model(
    *,
    model: LanguageModel,
    by: User,
    name: str | None = None,
    stage: str | None = None,
    tags: Iterable[str] | None = None,
) -> None:
    """Change what is given, all of it or nothing. Raises LabelError."""
    require_owner(model, by)
    if name is not None and name != model.name:
        model.name = free_name(model, name)
    if stage is not None:
        if stage not in Stage.values:
            raise LabelError(f"“{stage[:40]}” is no stage.", f"Known: {', '.join(Stage.values)}.")
        model.stage = stage
    if tags is not None:
        wanted = sorted({tag_name(tag) for tag in tags if plain_name(tag)})
        if len(wanted) > MOST_TAGS:
            raise LabelError(f"A model has {MOST_TAGS} tags at most.", "Take one away first.")
        model.tags = wanted
    model.save(update_fields=["name", "stage", "tags"])


def free_name(model: LanguageModel, name: str) -> str:
    """Raises LabelError where it is no name, or another model's."""
    if model.kind == LanguageModel.Kind.BASE:
        raise LabelError(
            f"{model.short_name} can't be renamed.", "A base model is called what it is opened by."
        )
    plain = plain_name(name)
    if not plain or len(plain) > LONGEST_NAME:
        raise LabelError(f"“{plain[:40]}” can't be a model's name.", HOW_TO_CALL)
    require_free(plain, model.owner_id, exclude=model.pk)
    if ModelAlias.objects.filter(owner=model.owner_id, name=plain).exists():
        raise LabelError(f"“{plain}” is an alias of yours.", "Remove the alias, or choose another.")
    return plain


def require_free(name: str, owner_id: int | None, exclude: int | None = None) -> None:
    others = LanguageModel.objects.filter(Q(owner=owner_id) | Q(owner=None), name=name)
    if others.exclude(pk=exclude or 0).exists():
        raise LabelError(
            f"Another model is called “{name}”, or was deleted less than a week ago.",
            "Choose another name.",
        )


@transaction.atomic
def set_alias(*, model: LanguageModel, by: User, name: str) -> ModelAlias:
    """Let a name stand for a model; where it stands for another one it moves. Raises LabelError."""
    require_owner(model, by)
    plain = plain_name(name)
    if not plain or len(plain) > LONGEST_NAME:
        raise LabelError(f"“{plain[:40]}” can't be an alias.", HOW_TO_CALL)
    require_free(plain, by.pk)
    User.objects.select_for_update().get(pk=by.pk)
    known = ModelAlias.objects.filter(owner=by)
    if not known.filter(name=plain).exists() and known.count() >= MOST_ALIASES:
        raise LabelError(f"You have {MOST_ALIASES} aliases.", "Remove one first.")
    alias, _ = ModelAlias.objects.update_or_create(owner=by, name=plain, defaults={"model": model})
    return alias


def remove_alias(*, alias: ModelAlias) -> None:
    alias.delete()
