"""Providers as a configuration knows them: their options, and what each serves and needs.

What carries out their runs is another class, in `providers/` or an installed package. The two meet
by name. That one is made of the configuration; this one is what a configuration is made of, and is
imported by the web.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import create_model

from maxaillm.dev.finetune.components.plugins import fine_tuners
from maxaillm.dev.finetune.components.registry import Component, Registry
from maxaillm.dev.finetune.errors import ModelError, ProviderError
from maxaillm.dev.finetune.interface import MaxFineTuningInterface, mismatches
from maxaillm.dev.finetune.model_files.folder import check_folder, find_folder, is_path
from maxaillm.dev.finetune.tasks.names import EVERY_TASK

DEVICES = frozenset({"cpu", "cuda"})
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
SECRET_WORDS = frozenset({"key", "password", "secret", "token", "credentials"})


class Secret(NamedTuple):
    """A key or token that a provider reads from the environment; no configuration holds it."""

    variable: str
    """The environment variable, such as OPENAI_API_KEY."""
    purpose: str
    required: bool = True


class Provider(Component):
    """Where a run is carried out: its fields are the options, the rest says what it serves."""

    secrets: ClassVar[tuple[Secret, ...]] = ()
    tasks: ClassVar[frozenset[str]] = EVERY_TASK
    methods: ClassVar[frozenset[str] | None] = None
    """Names of tuning methods; None: all that there are. None of them: it tunes in a way of its
    own, and the section `tuning` is not asked."""
    local_models: ClassVar[bool] = True
    """Whether models are folders of this machine, or names on the Hub that become folders; else
    they are names that the provider alone knows."""
    devices: ClassVar[frozenset[str]] = DEVICES
    """What it computes on here; nothing where the work is done elsewhere."""

    def find_model(self, name: str) -> Path | None:
        """The folder of a model; None for one that is not on this machine.

        Raises ModelError where there can be no such model.
        """
        self.check_model_name(name)
        return find_folder(name) if self.local_models else None

    def check_model_name(self, name: str) -> None:
        """Raises ModelError where this can be no model of the provider's."""
        if not self.local_models and (is_path(name) or name.startswith("starter/")):
            raise ModelError(
                f"{self.label} tunes models of its own, no folder such as {name}.",
                "Give the name of one of its models.",
            )

    def model_settings(self, name: str) -> Mapping[str, Any] | None:
        """What a model's `config.json` says; None while it is not on this machine, or not whole.
        Nothing is known of models that the provider alone has."""
        if not self.local_models:
            return {}
        try:
            folder = self.find_model(name)
            return check_folder(folder) if folder else None
        except ModelError:
            return None  # what is wrong is said where the model itself is checked

    def require_local_models(self, what: str) -> None:
        """Raises ProviderError where models can't be looked into, so that `what` is not known."""
        if not self.local_models:
            raise ProviderError(
                f"{what} is not known beforehand: {self.label} has its models to itself.",
                "Its own documentation says it.",
            )

    def check_secrets(self, environment: Mapping[str, str] = os.environ) -> None:
        """Raises ProviderError where a secret is missing."""
        lacking = [
            one for one in self.secrets if one.required and not environment.get(one.variable)
        ]
        if lacking:
            reasons = "; ".join(f"{one.variable} ({one.purpose})" for one in lacking)
            raise ProviderError(
                f"{self.label} needs {reasons}, which is not set.",
                "Set it in the environment of the worker, or of the command; never in a run.",
            )

    def fine_tuner(self) -> Callable[[Any, Any], MaxFineTuningInterface]:
        """The class that carries out a run of (configuration, attempt).

        Raises ProviderError where it lacks a step, or takes other arguments.
        """
        cls = fine_tuners.load(self.name)
        if found := mismatches(cls):
            raise ProviderError(
                f"{self.label} can't be used: its class {getattr(cls, '__name__', cls)} does not "
                f"carry out MaxFineTuningInterface: {'; '.join(found)}.",
                "Correct the class, or update the package that brings it.",
            )
        made: Callable[[Any, Any], MaxFineTuningInterface] = cls
        return made


class ProviderRegistry(Registry[Provider]):
    """The providers with options, and those that only carry out runs, which then have none."""

    def register(self, cls: type[Provider]) -> type[Provider]:
        """Class decorator. Raises ProviderError where the class says what can't be."""
        if wrong := contradictions(cls):
            raise ProviderError(
                f"The provider {cls.__name__} can't be registered: {'; '.join(wrong)}.",
                "Correct its class; docs/extending.md says what one has to give.",
            )
        return super().register(cls)

    def load(self) -> Self:
        if not self._loaded:
            super().load()
            for name in fine_tuners.names:
                if name not in self._classes:
                    self.register(without_options(name))
        return self


def contradictions(cls: type[Provider]) -> list[str]:
    """What is wrong with what a provider says of itself."""
    name = cls.model_fields["name"].default
    wrong = [] if getattr(cls, "label", "") else ["it has no label"]
    wrong += [
        f"{secret.variable!r} is no name of an environment variable"
        for secret in cls.secrets
        if not VARIABLE.fullmatch(secret.variable)
    ]
    wrong += [
        f"its option {option!r} would be stored and shown: name a variable in `secrets` instead"
        for option in cls.model_fields
        if SECRET_WORDS.intersection(option.split("_"))
    ]
    for kind, said, known in (("task", cls.tasks, EVERY_TASK), ("device", cls.devices, DEVICES)):
        wrong += [f"there is no {kind} {one!r}" for one in sorted(set(said) - known)]
    if name not in fine_tuners.names:
        wrong.append(f"no class is announced that carries out {name!r} ({fine_tuners.group})")
    return wrong


def without_options(name: str) -> type[Provider]:
    """The provider of a class that came alone: it is taken to serve everything."""
    label = name.replace("_", " ").capitalize()
    kind: Any = Literal[name]
    made = create_model(
        label, __base__=Provider, __doc__=f"{label}, as installed.", name=(kind, name)
    )
    made.label = label
    return made


providers = ProviderRegistry("provider", package=__name__)
