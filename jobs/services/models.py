"""Models: base ones are found and checked, tuned ones are written down."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User

from jobs.models import LanguageModel, Run
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.model_files.folder import check_folder, find_folder, is_path
from maxaillm.dev.finetune.run.events.kinds import SavedEvent
from maxaillm.starter import STARTER_MODELS

Kind = LanguageModel.Kind


def base_model(*, owner: User, name: str) -> LanguageModel:
    """The model to tune: one of the list by its name, else a folder or a Hub name, checked.

    Raises ModelError where there is none, or where its folder is unsafe.
    """
    known = LanguageModel.objects.visible_to(owner).filter(name=name).first()
    if known and known.kind == Kind.BASE:
        check_source(known.name)
        return known
    if known:
        return known
    folder = check_source(name)
    model, _ = LanguageModel.objects.get_or_create(
        owner=owner if is_path(name) else None,
        name=name,
        defaults={"kind": Kind.BASE, "size_bytes": weight_bytes(folder) if folder else 0},
    )
    return model


def check_source(name: str) -> Path | None:
    """The folder of a base model that may be opened; None for a name on the Hub."""
    folder = find_folder(name)
    if folder is None:
        return None
    if is_path(name) and folder.resolve().is_relative_to(settings.DATA_DIR):
        # What lies here belongs to somebody; tuned models are chosen by name instead.
        raise ModelError(f"There is no folder {name!r}.", "Choose a model from the list.")
    check_folder(folder)
    return folder


def weight_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def register_tuned(*, run: Run, attempt: int, saved: SavedEvent) -> LanguageModel:
    """Write down the model that an attempt saved."""
    model, _ = LanguageModel.objects.update_or_create(
        run=run,
        defaults={
            "owner": run.owner,
            "name": f"{run.name} #{run.pk}",
            "kind": saved.model_kind,
            "base": run.base_model,
            "attempt": attempt,
            "size_bytes": saved.size_bytes,
            "metrics": Run.objects.values_list("metrics", flat=True).get(pk=run.pk),
        },
    )
    return model


def ensure_starters() -> None:
    """See that each starter model of the package is in the list."""
    for starter in STARTER_MODELS.values():
        if not (starter.path / "config.json").is_file():
            continue
        LanguageModel.objects.update_or_create(
            owner=None,
            name=starter.name,
            defaults={"kind": Kind.BASE, "size_bytes": weight_bytes(starter.path)},
        )
