"""Exports on the page of a model: those that are made, and the forms to make one."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.http import QueryDict

from jobs.models import EngineJob, Export, HubPush, LanguageModel
from jobs.services.registry.exporting import refused_forms
from maxaillm.dev.finetune.exports import exports
from maxft_site.web.schema_forms import SchemaForm, form_class

S = EngineJob.Status
SHOWN = 50
BADGES = {
    S.QUEUED: ("", "Waiting"),
    S.RUNNING: ("active", "Being made"),
    S.FAILED: ("bad", "Failed"),
    S.CANCELLED: ("stopped", "Stopped"),
}


class Form(NamedTuple):
    """A form of export with its options; `reason` says why it can't hold the model."""

    name: str
    label: str
    text: str
    options: SchemaForm
    reason: str


class Row(NamedTuple):
    """An export in the list."""

    export: Export
    state: str
    word: str
    said: str
    """Of its parity, in words."""
    pushes: list[HubPush]

    @property
    def differing(self) -> list[dict[str, Any]]:
        return list((self.export.parity or {}).get("differing", []))

    @property
    def perplexity(self) -> dict[str, Any] | None:
        return (self.export.parity or {}).get("perplexity")


def forms_of(model: LanguageModel, asked: str = "", data: QueryDict | None = None) -> list[Form]:
    """Every form; that which was `asked` for with what was sent."""
    refused = refused_forms(model)
    return [
        Form(
            name,
            cls.label,
            " ".join((cls.__doc__ or "").split()),
            form_class(cls)(data if name == asked else None, prefix=name),
            refused.get(name, ""),
        )
        for name, cls in exports.items()
    ]


def rows_of(user: User, model: LanguageModel) -> list[Row]:
    found = Export.objects.visible_to(user).filter(model=model).prefetch_related("pushes")
    return [row_of(export) for export in found[:SHOWN]]


def row_of(export: Export) -> Row:
    pushes = list(export.pushes.all())
    if export.status == S.READY:
        return Row(export, *verdict_of(export.parity or {}), pushes)
    state, word = BADGES[EngineJob.Status(export.status)]
    failed_parity = export.status == S.FAILED and bool(export.parity)
    return Row(export, state, "Differs" if failed_parity else word, "", pushes)


def verdict_of(parity: dict[str, Any]) -> tuple[str, str, str]:
    """Badge, word and figures of an export that passed."""
    if not parity:
        return "ok", "Ready", ""
    equal, tokens = parity["tokens_equal"], parity["tokens"]
    prompts, odd = len(parity["prompts"]), len(parity.get("differing", []))
    if not odd and equal == tokens:
        return "ok", "Equal", f"{prompts} of {prompts} prompts, token for token"
    return "ok", "Within tolerance", f"{prompts - odd} of {prompts} prompts token for token"


def is_moving(rows: list[Row]) -> bool:
    """Whether something of it will change by itself."""
    return any(
        not row.export.has_ended or any(not push.has_ended for push in row.pushes) for row in rows
    )
