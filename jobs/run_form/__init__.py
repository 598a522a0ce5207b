"""The form of a run: made from RunConfig, over what one user may choose."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, cast

from django.contrib.auth.models import User
from django.forms import CheckboxSelectMultiple
from django.forms.boundfield import BoundField
from django.http import QueryDict

from datasets_app.models import DatasetVersion
from jobs.run_form import fitting
from jobs.run_form.mistakes import Missing, mistakes_in
from jobs.run_form.pickers import (
    Group,
    dataset_pick,
    model_groups,
    models_on_offer,
    versions_on_offer,
)
from jobs.services.resolve import Settings, find_model, kind_of
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.applicability import Circumstances
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.errors import ModelError, Problem
from maxaillm.dev.finetune.methods import TuneMethod, methods
from maxaillm.dev.finetune.provider_options import providers
from maxaillm.dev.finetune.tasks import TASKS, choose_task
from maxft_site.web.schema_forms import ComponentChoice, Option, SchemaForm, form_class

MODEL, OTHER_MODEL = "model-name", "model-other"
DEFAULT_PROVIDER = RunConfig.model_fields["provider"].default.name
run_form_class = cache(lambda: form_class(RunConfig))


class RunForms:
    """One form a section of a run; `config` is what they say together.

    Options that the chosen task, method and data have no use for are left out. One that asks for
    something stays with its mistake, unless it is to be `tidied`: then `set_aside` names it.
    """

    def __init__(
        self,
        user: User,
        data: QueryDict | None = None,
        initial: Mapping[str, Any] | None = None,
        *,
        tidied: bool = False,
    ) -> None:
        self.user = user
        self.models = [model for model in models_on_offer(user) if model.is_mergeable]
        self.versions = versions_on_offer(user)
        self.other = ""
        if data is not None:
            data = self.with_other_model(data)
        self.form: SchemaForm = run_form_class()(data, initial=self.filled(initial or {}))
        self.refused = fitting.refused_methods(self.circumstances, self.settings)
        """Why methods can't tune this model for this task, by their names."""
        is_tidied = tidied or data is None
        self.set_aside = fitting.fit(self.form, self.circumstances, even_if_set=is_tidied)

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

    @cached_property
    def version(self) -> DatasetVersion | None:
        """The newest ready version of the chosen dataset."""
        chosen = self.dataset_chosen
        return next((one for one in self.versions if str(one.dataset_id) == chosen), None)

    @property
    def kind(self) -> type[Example] | None:
        """What the rows of the chosen dataset are."""
        return kind_of(self.version) if self.version else None

    @cached_property
    def found_model(self) -> tuple[str, Settings | None]:
        """Where the chosen model lies, or its name, and its settings where they are known."""
        choice = self.provider_choice
        named = choice.chosen if choice else DEFAULT_PROVIDER
        cls = providers[named] if named in providers else providers[DEFAULT_PROVIDER]
        name = str(self.model_field.value() or "")
        try:
            model, settings = find_model(name, self.user, cls.model_construct(name=named))
        except ModelError:
            return name, None  # what is wrong is said where the run is checked
        return model.source if model else name, settings

    @property
    def settings(self) -> Settings | None:
        """The chosen model's `config.json`; None where it is not known."""
        return self.found_model[1]

    @property
    def recommended(self) -> fitting.Recommended:
        """The learning rate where none is typed."""
        source, settings = self.found_model
        task = self.circumstances.task if self.circumstances else None
        return fitting.recommended(self.method, None if settings is None else source, task)

    @cached_property
    def circumstances(self) -> Circumstances | None:
        """What decides which options apply; None before data or a task are chosen."""
        kind, chosen = self.kind, self.task_chosen
        if chosen in TASKS:
            fits = kind is not None and chosen in kind.tasks
            return Circumstances(chosen, self.method, kind if fits else None)
        task = choose_task(kind, self.settings or {}) if kind else ""
        return Circumstances(task, self.method, kind) if task else None

    @property
    def dataset_groups(self) -> list[Group]:
        picks = [dataset_pick(version) for version in self.versions]
        return [Group("", picks)] if picks else []

    @property
    def dataset_chosen(self) -> str:
        return str(self.dataset_field.value() or "")

    @property
    def typed_model_errors(self) -> list[str]:
        """What is wrong with a model that is typed; else it is said at the list."""
        return [str(error) for error in self.model_field.errors] if self.other else []

    @property
    def model_groups(self) -> list[Group]:
        return model_groups(self.models)

    @property
    def model_chosen(self) -> str:
        """The model of the list; none where another is typed."""
        return "" if self.other else str(self.model_field.value() or "")

    @property
    def task_options(self) -> list[Option]:
        """What the chosen data can teach; first, that they and the model decide."""
        return fitting.task_options(self.kind, self.task_chosen, self.circumstances)

    @property
    def other_tasks(self) -> list[Option]:
        """What needs other data."""
        return fitting.other_tasks(self.kind, self.task_chosen)

    @property
    def task_chosen(self) -> str:
        return str(self.form["task"].value() or "")

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
        usual = [option for option in self.offered_methods if methods[option.value].usual]
        return sorted(usual, key=lambda option: (option.value != default, option.label))

    @property
    def other_methods(self) -> list[Option]:
        return [option for option in self.offered_methods if not methods[option.value].usual]

    @property
    def offered_methods(self) -> list[Option]:
        """All methods; one that can't tune this model on these data says why."""
        return [
            option._replace(
                fact=self.refused.get(option.value, ""),
                disabled=option.value in self.refused and option.value != self.method_name,
            )
            for option in self.tuning.options
        ]

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
    def task_field(self) -> BoundField:
        return self.form["task"]

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
    def missing(self) -> list[Missing]:
        """The fields that must be put right before the run can start."""
        typed = {MODEL: OTHER_MODEL} if self.other else {}
        wrong = mistakes_in(self.form, typed)
        return wrong or ([] if self.versions else [Missing("Dataset", "s-data")])
