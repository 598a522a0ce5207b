"""Kinds of devices: what they are called, and which a provider computes on."""

from __future__ import annotations

from collections.abc import Mapping

from maxaillm.dev.finetune.provider_options import providers

KINDS = {"cuda": "GPU", "cpu": "CPU"}


def kinds_for(provider: str | None, devices: Mapping[str, int]) -> tuple[str, ...]:
    known = providers.get(provider or "")
    needed = known.devices if known else frozenset()
    return tuple(kind for kind in devices if not needed or kind in needed)
