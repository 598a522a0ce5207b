"""Hugging Face: open models, tuned on this machine."""

from __future__ import annotations

from typing import ClassVar, Literal

from maxaillm.dev.finetune.provider_options import Provider, Secret, providers


@providers.register
class HuggingFace(Provider):
    """This machine, with transformers and PEFT."""

    label: ClassVar[str] = "Hugging Face"
    secrets: ClassVar[tuple[Secret, ...]] = (
        Secret("HF_TOKEN", "opens gated models of the Hub", required=False),
    )

    name: Literal["hugging_face"] = "hugging_face"
