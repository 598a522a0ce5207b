"""Register models: base ones when a run first names them, tuned ones when they are saved."""

from __future__ import annotations

from pathlib import Path

from django.contrib.auth.models import User

from jobs.models import LanguageModel, Run
from jobs.services.names import model_name
from maxaillm.dev.finetune.model_files.folder import is_path
from maxaillm.dev.finetune.provider_options import Provider
from maxaillm.dev.finetune.run.events.kinds import SavedEvent
from maxaillm.starter import STARTER_MODELS

Kind = LanguageModel.Kind


def register_base(*, owner: User, name: str, provider: Provider) -> LanguageModel:
    """Write down a folder, a Hub name or another model of the provider's as a base model; a folder
    is its owner's alone."""
    folder = provider.find_model(name)
    model, _ = LanguageModel.objects.get_or_create(
        owner=owner if is_path(name) else None,
        name=name,
        defaults={"kind": Kind.BASE, "size_bytes": weight_bytes(folder) if folder else 0},
    )
    return model


def weight_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def register_tuned(*, run: Run, attempt: int, saved: SavedEvent) -> LanguageModel:
    """Write down the model that an attempt saved."""
    model, _ = LanguageModel.objects.update_or_create(
        run=run,
        defaults={
            "owner": run.owner,
            "name": model_name(run),
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
