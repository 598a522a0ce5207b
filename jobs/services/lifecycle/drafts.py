"""Drafts of runs: kept while somebody fills in the form, gone once it is started."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.http import QueryDict

from jobs.models import RunDraft
from maxaillm.dev.finetune.components.names import plain_name
from maxaillm.dev.finetune.errors import FineTuneError

KEY = "draft"
"""The field in which a form says its number."""
NOT_KEPT = (KEY, "csrfmiddlewaretoken", "show", "typed")
LONGEST = 64 * 1024


class DraftError(FineTuneError):
    """What can't be kept as a draft."""

    code = "draft"
    status = 422


def number_of(form: QueryDict) -> UUID | None:
    try:
        return UUID(form.get(KEY, ""))
    except ValueError:
        return None


@transaction.atomic
def keep(*, owner: User, form: QueryDict) -> RunDraft:
    """Write down what a form says; one form has one draft, however often it is sent.

    Raises DraftError for a form without a number, another person's number, and one too long.
    """
    number = number_of(form)
    fields = form.copy()
    for name in NOT_KEPT:
        fields.pop(name, None)
    text = fields.urlencode()
    if number is None or len(text) > LONGEST or is_taken(number, owner):
        raise DraftError("This form can't be kept as a draft.", "Start the run, or copy its YAML.")
    name = plain_name(form.get("name", ""))[:200] or plain_name(form.get("model-name", ""))[:200]
    draft, _ = RunDraft.objects.update_or_create(
        pk=number, defaults={"owner": owner, "name": name, "fields": text}
    )
    old = RunDraft.objects.visible_to(owner).values_list("pk", flat=True)[RunDraft.MOST :]
    RunDraft.objects.filter(pk__in=list(old)).delete()
    return draft


def is_taken(number: UUID, owner: User) -> bool:
    return RunDraft.objects.filter(pk=number).exclude(owner=owner).exists()


def form_of(draft: RunDraft) -> QueryDict:
    """The form as it was sent."""
    return QueryDict(draft.fields, mutable=True)


def delete(draft: RunDraft) -> None:
    RunDraft.objects.filter(pk=draft.pk).delete()


def started(*, owner: User, form: QueryDict) -> None:
    """The form was sent: its draft is done with."""
    if number := number_of(form):
        RunDraft.objects.visible_to(owner).filter(pk=number).delete()
