"""Resolve a run configuration: the dataset version, the model and its settings that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings as site_settings
from django.contrib.auth.models import User

from datasets_app.models import DatasetVersion
from datasets_app.selectors import ready_versions
from jobs.models import LanguageModel
from maxaillm.dev.finetune.config import RunConfig, hosted
from maxaillm.dev.finetune.config.compatibility import refused_methods, resolve_defaults, task_for
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.errors import ConfigError, ModelError, Problem
from maxaillm.dev.finetune.estimate.machine import usable_devices
from maxaillm.dev.finetune.model_files.folder import check_folder, find_folder, is_path
from maxaillm.dev.finetune.processes.resources import usable_cores
from maxaillm.dev.finetune.provider_options import Provider

Settings = Mapping[str, Any]
NOT_OFFERED = "There is no folder of this name among the models that are offered."
HOW_TO_OFFER = (
    "Choose a model from the list. Who runs the site can offer more folders: "
    "MAXFT_MODEL_ROOTS names where they lie."
)


class Resolved(NamedTuple):
    """A run configuration with what it names."""

    config: RunConfig
    """In the site's names: a dataset by its number, a model as its list has it."""
    version: DatasetVersion
    model: LanguageModel | None
    """None: a folder or a Hub name that is in no list yet."""
    settings: Settings | None
    """The model's `config.json`, empty where only the provider knows the model; None where it is
    not on this machine yet. What depends on it is not known then."""

    @property
    def source(self) -> str:
        """What the engine opens: the folder of a tuned model, else the base model's name."""
        return self.model.source if self.model else self.config.model.name

    @property
    def base(self) -> str:
        """The source of the model below all adapters, whose tokenizer and settings they share."""
        return self.model.root.source if self.model else self.config.model.name

    @property
    def refused_methods(self) -> dict[str, str]:
        """Why tuning methods can't tune this model on these data, by their names."""
        kind = kind_of(self.version)
        if self.settings is None or kind is None:
            return {}
        task = task_for(self.config, kind, self.settings)
        return refused_methods(self.config, task, str(self.settings.get("model_type", "")))

    def with_defaults(self) -> Resolved:
        """With the task and the metrics that the configuration leaves open, where they are known.

        Raises ConfigError with everything that does not go together.
        """
        kind = kind_of(self.version)
        if self.settings is None or kind is None:
            return self
        return self._replace(config=resolve_defaults(self.config, kind, self.settings))

    def for_estimate(self) -> RunConfig:
        """The same, on the model below all adapters, which has the size of what is tuned."""
        return self.for_engine(self.base)

    def for_engine(self, source: str = "") -> RunConfig:
        """The configuration with files in place of the site's names; the model from `source`."""
        files = {"dataset": None, "version": None, "train_file": str(self.version.training_path)}
        data = self.config.data.model_copy(update=files)
        model = self.config.model.model_copy(update={"name": source or self.source})
        return self.config.model_copy(update={"data": data, "model": model})


def resolve(
    config: RunConfig,
    user: User,
    *,
    version: DatasetVersion | None = None,
    model: LanguageModel | None = None,
) -> Resolved:
    """What a configuration names, found among what `user` may see; defaults are filled in.

    A run has its `version` and its `model` already, whatever their names are by now. Nothing is
    written. Raises ConfigError: all that is not there at once, else all that does not go together.
    """
    return find(config, user, version=version, model=model).with_defaults()


def find(
    config: RunConfig,
    user: User,
    *,
    version: DatasetVersion | None = None,
    model: LanguageModel | None = None,
) -> Resolved:
    """`resolve` without the defaults, for what is to be known though not all goes together."""
    problems = [*hosted.refusals(config), *machine_problems(config)]
    version = version or find_version(config, user)
    if version is None:
        message, allowed = "There is no such dataset that is ready.", "the number of one of yours"
        problems.append(Problem("data.dataset", message, config.data.dataset, allowed))
    settings = None
    try:
        if model is None:
            model, settings = find_model(config.model.name, user, config.provider)
        else:
            settings = config.provider.model_settings(model.root.source)
    except ModelError as error:
        problems.append(Problem("model.name", error.message, config.model.name, error.hint))
    if problems or version is None:
        raise ConfigError(problems)
    return Resolved(config, version, model, settings)


def machine_problems(config: RunConfig) -> Iterator[Problem]:
    """More processes than this machine has devices, or cores, for."""
    if not config.provider.devices:
        return
    most = {
        "training.devices": site_settings.MAX_DEVICES or usable_devices(),
        "data.dataloader_num_workers": usable_cores(),
    }
    for path, limit in most.items():
        section, option = path.split(".")
        value = getattr(getattr(config, section), option)
        if value > limit:
            message = f"This machine serves {limit} at once."
            yield Problem(path, message, value, f"at most {limit}")


def find_version(config: RunConfig, user: User) -> DatasetVersion | None:
    """The version asked for, else the newest; only one that is ready."""
    if config.data.dataset is None:
        return None
    versions = ready_versions(user).filter(dataset=config.data.dataset)
    if config.data.version is not None:
        versions = versions.filter(number=config.data.version)
    return versions.order_by("-number").first()


def find_model(
    name: str, user: User, provider: Provider
) -> tuple[LanguageModel | None, Settings | None]:
    """A model of the list by its name, else one that the provider can have by that name, such as
    a folder or a Hub name; and its settings.

    Raises ModelError where a base model is not there or may not be opened.
    """
    model = LanguageModel.objects.visible_to(user).named(name)
    if model is None or model.kind == LanguageModel.Kind.BASE:
        return model, base_settings(name, provider)
    provider.check_model_name(model.source)
    return model, provider.model_settings(model.root.source)


def base_settings(name: str, provider: Provider) -> Settings | None:
    """The settings of a base model that may be opened; None for one that is not here yet.

    Raises ModelError.
    """
    if is_path(name) and not is_offered(name):
        # One answer for all folders that are not, so that nobody finds out what there is.
        raise ModelError(NOT_OFFERED, HOW_TO_OFFER)
    folder = provider.find_model(name)
    return provider.model_settings(name) if folder is None else check_folder(folder)


def is_offered(name: str) -> bool:
    """Whether a path leads to where the models lie that members may tune.

    The nearest folder decides: a place for models within the data directory offers its own, and
    the data directory within such a place, where everybody's things are, offers nothing.
    """
    try:
        folder = Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):  # not ours to look into, links in a ring, NUL
        return False
    roots = [root.resolve() for root in site_settings.MODEL_ROOTS]
    places = [*roots, site_settings.DATA_DIR.resolve()]
    around = [place for place in places if folder.is_relative_to(place)]
    return max(around, key=lambda place: len(place.parts), default=None) in roots


def model_folder(source: str) -> Path | None:
    """The folder of a model; None where it is not on this machine."""
    try:
        return find_folder(source)
    except ModelError:
        return None


def kind_of(version: DatasetVersion) -> type[Example] | None:
    """What the rows of a dataset are, once that is known."""
    return formats[version.format["name"]].gives if version.format else None
