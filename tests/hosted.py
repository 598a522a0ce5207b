"""A provider whose models are not on this machine, and a configuration that may choose it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.provider_options import Provider, Secret
from maxaillm.dev.finetune.provider_options.hugging_face import HuggingFace


class Hosted(Provider):
    """Models of a service on the network."""

    label: ClassVar[str] = "Hosted"
    secrets: ClassVar[tuple[Secret, ...]] = (Secret("HOSTED_API_KEY", "pays for the run"),)
    tasks: ClassVar[frozenset[str]] = frozenset({"causal_lm", "preference"})
    methods: ClassVar[frozenset[str] | None] = frozenset()
    local_models: ClassVar[bool] = False
    devices: ClassVar[frozenset[str]] = frozenset()

    name: Literal["hosted"] = "hosted"
    suffix: str = Field("", max_length=18, title="Suffix", description="Ends the model's name.")


class HostedConfig(RunConfig):
    provider: HuggingFace | Hosted = Field(HuggingFace(), title="Provider", discriminator="name")
