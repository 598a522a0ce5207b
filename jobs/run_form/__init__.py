"""The form of a run: made from RunConfig, over what one user may choose."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from django.contrib.auth.models import User
from django.forms import CheckboxSelectMultiple
from django.forms.boundfield import BoundField
from django.http import QueryDict

from datasets_app.models import DatasetVersion
from datasets_app.selectors import ready_versions
from jobs.models import LanguageModel
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import Problem
from maxaillm.dev.finetune.methods import TuneMethod, methods
from maxaillm.dev.finetune.tasks import TASKS
from maxft_site.web.schema_forms import ComponentChoice, Option, SchemaForm, form_class

MODEL, OTHER_MODEL, RATE = "model-name", "model-other", "training-learning_rate"
run_form_class = cache(lambda: form_class(RunConfig))


class RunForms:
    """One form a section of a run; `config` is what they say together."""

    def __init__(
        self, user: User, data: QueryDict | None = None, initial: Mapping[str, Any] | None = None
    ) -> None:
        self.user = user
        # an adapter can't be tuned again
        self.models = [model for model in models_on_offer(user) if model.kind != "adapter"]
        self.versions = versions_on_offer(user)
        self.other = ""
        if data is not None:
            data = self.with_other_model(data)
        self.form: SchemaForm = run_form_class()(data, initial=self.filled(initial or {}))
        self.offer()

    def with_other_model(self, data: QueryDict) -> QueryDict:
        """A folder or a Hub name that was typed counts more than the list beside it."""
        self.other = data.get(OTHER_MODEL, "").strip()
        if not self.other:
            return data
        changed = data.copy()
        changed[MODEL] = self.other
        return changed

    def filled(self, initial: Mapping[str, Any]) -> dict[str, Any]:
        """`initial` with a model and a dataset, so that the form can be sent as it is."""
        filled = dict(initial)
        model = dict(filled.get("model") or {})
        data = dict(filled.get("data") or {})
        names = [model.name for model in self.models]
        model.setdefault("name", names[0] if names else "")
        if model["name"] not in names:
            self.other = self.other or model["name"]
        if self.versions:
            data.setdefault("dataset", self.versions[0].dataset_id)
        return filled | {"model": model, "data": data}

    def offer(self) -> None:
        """Show the user's own models and datasets as lists."""
        names = [(model.name, model.name) for model in self.models]
        if self.other and self.other not in dict(names):
            names.append((self.other, self.other))
        self.section("model").option("name").offer(names)
        datasets = [
            (version.dataset_id, f"{version}, {version.rows:,} rows") for version in self.versions
        ]
        self.section("data").option("dataset").offer(datasets or [("", "No dataset is ready")])
        tasks = [(name, task.label) for name, task in TASKS.items()]
        self.form.option("task").offer([("", "By data and model"), *tasks])

    def section(self, name: str) -> SchemaForm:
        return cast(SchemaForm, self.form.parts[name])

    @property
    def tuning(self) -> ComponentChoice:
        return cast(ComponentChoice, self.form.parts["tuning"])

    @property
    def sections(self) -> dict[str, SchemaForm]:
        chosen = {"tuning", "provider"}
        return {name: self.section(name) for name in self.form.parts if name not in chosen}

    @property
    def provider_choice(self) -> ComponentChoice | None:
        """Which provider, where one can choose."""
        part = self.form.parts["provider"]
        return part if isinstance(part, ComponentChoice) else None

    @property
    def provider_form(self) -> SchemaForm | None:
        """The options of the only provider."""
        part = self.form.parts["provider"]
        return part if isinstance(part, SchemaForm) and part.everything() else None

    @property
    def method(self) -> type[TuneMethod]:
        """The chosen tuning method; the first where no such name is known."""
        name = self.method_name
        return methods[name] if name in methods else next(iter(methods.values()))

    @property
    def method_options(self) -> list[Option]:
        """The methods that most people choose from, the default foremost."""
        default = RunConfig.model_fields["tuning"].default.name
        usual = [option for option in self.tuning.options if methods[option.value].usual]
        return sorted(usual, key=lambda option: (option.value != default, option.label))

    @property
    def other_methods(self) -> list[Option]:
        return [option for option in self.tuning.options if not methods[option.value].usual]

    @property
    def is_other_method(self) -> bool:
        """Whether the chosen one is not among the usual."""
        return self.method_name in {option.value for option in self.other_methods}

    @property
    def method_form(self) -> SchemaForm:
        return cast(SchemaForm, self.tuning.form)

    @property
    def method_name(self) -> str:
        return self.tuning.chosen

    @property
    def method_errors(self) -> list[str]:
        return self.tuning.errors

    @property
    def dataset_field(self) -> BoundField:
        return self.section("data")["dataset"]

    @property
    def model_field(self) -> BoundField:
        return self.section("model")["name"]

    @property
    def top_fields(self) -> list[BoundField]:
        """What belongs to no section, but the name: the task."""
        return [field for field in self.form.plain_fields if field.name != "name"]

    @property
    def name_field(self) -> BoundField:
        return self.form["name"]

    @property
    def other_data_fields(self) -> list[BoundField]:
        return [field for field in self.section("data").plain_fields if field.name != "dataset"]

    @property
    def rate_is_own(self) -> bool:
        """Whether a learning rate was typed, which a change of method must not undo."""
        return bool(self.section("training")["learning_rate"].value())

    def is_valid(self) -> bool:
        return self.form.is_valid()

    def as_if_sent(self) -> RunForms:
        """The form as a browser would send it unchanged."""
        data = QueryDict(mutable=True)
        for field in self.form.everything():
            value = field.value()
            if isinstance(value, list) and isinstance(field.field.widget, CheckboxSelectMultiple):
                data.setlist(field.html_name, value)
            elif value not in (None, False):
                data[field.html_name] = field.field.prepare_value(value)
        for choice in self.form.choices():
            data[choice.input_name] = choice.chosen
        return RunForms(self.user, data)

    @property
    def config(self) -> RunConfig:
        """After `is_valid`."""
        return cast(RunConfig, self.form.value)

    def add_problems(self, problems: list[Problem]) -> None:
        self.form.add_problems(problems)

    @property
    def missing(self) -> list[str]:
        """Labels of the fields that must be put right before the run can start."""
        wrong = [str(field.label) for field in self.form.everything() if field.errors]
        wrong += [choice.label for choice in self.form.choices() if choice.errors]
        return list(dict.fromkeys(wrong)) or ([] if self.versions else ["Dataset"])


def models_on_offer(user: User) -> list[LanguageModel]:
    """Base models first, starters foremost, then tuned ones, newest first."""
    visible = LanguageModel.objects.visible_to(user)
    base = sorted(
        visible.filter(kind="base"),
        key=lambda model: (not model.name.startswith("starter/"), model.name),
    )
    return [*base, *visible.exclude(kind="base").order_by("-pk")]


def versions_on_offer(user: User) -> list[DatasetVersion]:
    """The newest ready version of each dataset; the user's own before the samples."""
    newest: dict[int, DatasetVersion] = {}
    for version in ready_versions(user):
        held = newest.get(version.dataset_id)
        if held is None or held.number < version.number:
            newest[version.dataset_id] = version
    return sorted(newest.values(), key=lambda version: version.dataset.owner_id is None)
