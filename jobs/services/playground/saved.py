"""Presets and prompt sets: every write to what a person keeps for chats."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction

from jobs.models import ChatPreset, PromptSet
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.model.sampling import SamplingOptions

MOST_PROMPTS = 1000
"""Of a prompt set."""


class NameTakenError(FineTuneError):
    """Something of the same owner has that name already."""

    code = "name_taken"
    status = 409


def require_fewer(found: models.QuerySet[models.Model], most: int, what: str) -> None:
    """Raises FineTuneError where a person has as many as anybody may have."""
    if found.count() >= most:
        raise FineTuneError(f"You have {most} {what}, which is the limit.", "Delete one of them.")


def save_preset(
    *, owner: User, name: str, system_prompt: str, options: SamplingOptions
) -> tuple[ChatPreset, bool]:
    """Keep parameters by name, in place of those that had it; True where there were none."""
    if not (name := " ".join(name.split())):
        raise FineTuneError("The preset has no name.", "Type one, then save it.")
    of_owner = ChatPreset.objects.visible_to(owner)
    if not of_owner.filter(name=name).exists():
        require_fewer(of_owner, ChatPreset.MOST, "presets")
    values = {"system_prompt": system_prompt, "options": options.model_dump(mode="json")}
    return ChatPreset.objects.update_or_create(values, owner=owner, name=name[:80])


def delete_preset(*, preset: ChatPreset) -> None:
    preset.delete()


def create_prompt_set(*, owner: User, name: str, prompts: Sequence[str]) -> PromptSet:
    """Raises FineTuneError, among others NameTakenError."""
    require_fewer(PromptSet.objects.visible_to(owner), PromptSet.MOST, "prompt sets")
    return write_prompt_set(PromptSet(owner=owner), name, prompts)


def change_prompt_set(*, prompt_set: PromptSet, name: str, prompts: Sequence[str]) -> PromptSet:
    return write_prompt_set(prompt_set, name, prompts)


def write_prompt_set(prompt_set: PromptSet, name: str, prompts: Sequence[str]) -> PromptSet:
    kept = [text for prompt in prompts if (text := prompt.strip())]
    if not kept:
        raise FineTuneError("The set has no prompts.", "Write at least one, one a line.")
    if len(kept) > MOST_PROMPTS:
        raise FineTuneError(
            f"The set has {len(kept):,} prompts, more than {MOST_PROMPTS:,}.",
            "Make two sets of it.",
        )
    prompt_set.name, prompt_set.prompts = name, kept
    try:
        with transaction.atomic():
            prompt_set.save()
    except IntegrityError:
        raise NameTakenError(f"You have a prompt set {name!r}.", "Choose another name.") from None
    return prompt_set


def delete_prompt_set(*, prompt_set: PromptSet) -> None:
    prompt_set.delete()
