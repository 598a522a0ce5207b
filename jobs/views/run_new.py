"""The page of a new run: a form, or the same run as text; a preview beside it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from datasets_app.models import Dataset
from jobs.models import LanguageModel, Run, RunDraft
from jobs.run_form import RunForms
from jobs.run_form.config_text import as_command, as_python, as_request, as_yaml, config_from_yaml
from jobs.run_form.later import LaterFields
from jobs.run_form.presets import Change, preset_panel, with_preset
from jobs.run_form.preview import Preview, preview_run
from jobs.run_page.config_rows import config_rows
from jobs.services.lifecycle import drafts
from jobs.services.lifecycle.later import start
from jobs.services.resolve import resolve
from jobs.views.request import Request
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.files import apply_override
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxft_site.web.formatting import typed_number

WRITERS = {"command": as_command, "python": as_python}
TEXTS = ("yaml", *WRITERS, "api")
VIEWS = {"form": "Form", "yaml": "YAML", "command": "Command", "python": "Python", "api": "API"}


@require_http_methods(["GET", "POST"])
def run_new(request: Request) -> HttpResponse:
    if request.method == "POST":
        text = request.POST.get("yaml")
        return posted_form(request) if text is None else posted_text(request, text)
    if number := request.GET.get("draft"):
        draft = get_object_or_404(RunDraft.objects.visible_to(request.user), pk=uuid_in(number))
        return show_form(request, drafts.form_of(draft), tidied=True, draft=draft.pk)
    initial = prefilled(request)
    view = request.GET.get("view", "")
    if view in TEXTS and initial:
        config = RunConfig.parse(initial)
        return show_text(request, view, as_yaml(config), config)
    clone = clone_of(request, initial) if "clone" in request.GET else None
    return show_form(request, initial=initial, clone=clone)


def posted_form(request: Request) -> HttpResponse:
    """Start what the form says, or show it as text; mistakes come back at their fields. Without a
    script the form is shown anew by a button."""
    if request.POST.get("show") == "form":
        return show_form(request, with_preset(request.POST), tidied=True)
    later = LaterFields(request.user, request.POST)
    forms = RunForms(request.user, later.on_model(request.POST))
    if not forms.is_valid() or later.missing:
        return render_form(request, forms, later, status=422)
    view = request.POST.get("show", "")
    if view in TEXTS:
        return show_text(request, view, as_yaml(forms.config), forms.config)
    try:
        run = start(owner=request.user, config=forms.config, later=later.value)
    except ConfigError as error:
        forms.add_problems(error.problems)
        return render_form(request, forms, later, status=422)
    drafts.started(owner=request.user, form=request.POST)
    return redirect(run)


def posted_text(request: Request, text: str) -> HttpResponse:
    """The same from YAML that was pasted or carried along."""
    view, later = request.POST.get("show", ""), LaterFields(request.user, request.POST)
    try:
        config = config_from_yaml(text)
        if not view:
            later.require()
            run = start(owner=request.user, config=config, later=later.value)
            drafts.started(owner=request.user, form=request.POST)
            return redirect(run)
    except ConfigError as error:
        return show_text(request, "yaml", text, problems=error.problems)
    if view in TEXTS:
        return show_text(request, view, text, config)
    forms = RunForms(request.user, None, config.model_dump(mode="json"))
    return render_form(request, forms, later)


def prefilled(request: Request) -> dict[str, Any]:
    """The values that the address asks for: those of another run, a dataset, a model."""
    initial: dict[str, Any] = {}
    if clone := request.GET.get("clone"):
        run = get_object_or_404(Run.objects.visible_to(request.user), pk=typed_number(clone))
        initial = deepcopy(run.config)
    if chosen := request.GET.get("dataset"):
        datasets = Dataset.objects.visible_to(request.user)
        dataset = get_object_or_404(datasets, pk=typed_number(chosen))
        initial["data"] = initial.get("data", {}) | {"dataset": dataset.pk, "version": None}
    if chosen := request.GET.get("model"):
        models = LanguageModel.objects.visible_to(request.user)
        model = get_object_or_404(models, pk=typed_number(chosen))
        initial["model"] = initial.get("model", {}) | {"name": model.name}
    for path, value in request.GET.items():
        if "." in path:  # training.learning_rate=2e-05, such as a verdict advises
            apply_override(initial, f"{path}={value}")
    return initial


class Clone(NamedTuple):
    """What a form begins with: another run, and the options that the address changes."""

    run: Run
    changes: list[Change]


def clone_of(request: Request, initial: dict[str, Any]) -> Clone:
    run = get_object_or_404(Run.objects.visible_to(request.user), pk=request.GET["clone"])
    before = {row.path: row.value for row in config_rows(run.parsed_config)}
    try:
        after = config_rows(RunConfig.parse(initial))
    except ConfigError:  # which the form says at its fields
        return Clone(run, [])
    changes = [Change(row.title, before.get(row.path, "–"), row.value) for row in after]
    return Clone(run, [change for change in changes if change.before != change.after])


def show_form(
    request: Request,
    data: QueryDict | None = None,
    *,
    initial: dict[str, Any] | None = None,
    tidied: bool = False,
    draft: UUID | None = None,
    clone: Clone | None = None,
) -> HttpResponse:
    later = LaterFields(request.user, data)
    filled = later.on_model(data) if data is not None else None
    forms = RunForms(request.user, filled, initial, tidied=tidied)
    return render_form(request, forms, later, draft=draft, clone=clone)


def render_form(
    request: Request,
    forms: RunForms,
    later: LaterFields,
    *,
    status: int = 200,
    draft: UUID | None = None,
    clone: Clone | None = None,
) -> HttpResponse:
    """A form that was not sent yet gets the number of a draft, under which it is kept."""
    number = draft or drafts.number_of(request.POST) or uuid4()
    context = shown(forms, later, request.user)
    context |= {"views": VIEWS.items(), "draft": number, "clone": clone}
    return render(request, "jobs/run_new.html", context, status=status)


def shown(forms: RunForms, later: LaterFields, user: User) -> dict[str, Any]:
    """What the form shows of itself. The preview comes first: it may find mistakes in fields."""
    found = preview(forms, user)
    found = found._replace(missing=[*found.missing, *later.missing])
    ahead, presets = Run.objects.waiting().count(), preset_panel(forms.form)
    return {
        "forms": forms, "preview": found, "ahead": ahead, "presets": presets, "later": later,
    }  # fmt: skip


def preview(forms: RunForms, user: User) -> Preview:
    """What the form would do, or which of its fields must be put right first."""
    if not forms.form.is_bound:
        forms = forms.as_if_sent()
    if not forms.is_valid() or forms.missing:
        return Preview(missing=forms.missing)
    try:
        return preview_run(resolve(forms.config, user))
    except ConfigError as error:
        forms.add_problems(error.problems)
        return Preview(missing=forms.missing)


def show_text(
    request: Request,
    view: str,
    text: str,
    config: RunConfig | None = None,
    problems: Sequence[Problem] = (),
) -> HttpResponse:
    address = request.build_absolute_uri(reverse("api:runs"))
    written = ""
    if config is not None and view != "yaml":
        writer = WRITERS.get(view)
        written = writer(config) if writer else as_request(config, address)
    context = {
        "view": view,
        "views": VIEWS.items(),
        "yaml": text,
        "written": written,
        "problems": problems,
        "later": LaterFields(request.user, request.POST),
        "draft": drafts.number_of(request.POST),
    }
    return render(request, "jobs/run_new_text.html", context, status=422 if problems else 200)


@require_POST
def run_new_form(request: Request) -> HttpResponse:
    """The form as it has to be after a change: options that apply, mistakes at their fields, and
    what would happen if it were sent as it is. What somebody has typed is kept as a draft."""
    if request.POST.get("typed"):
        drafts.keep(owner=request.user, form=request.POST)
    later = LaterFields(request.user, request.POST)
    forms = RunForms(request.user, later.on_model(request.POST), tidied=True)
    return render(request, "jobs/_run_form.html", shown(forms, later, request.user))


@require_POST
def draft_delete(request: Request, pk: UUID) -> HttpResponse:
    draft = get_object_or_404(RunDraft.objects.visible_to(request.user), pk=pk)
    drafts.delete(draft)
    messages.success(request, f"The draft “{draft}” is deleted.")
    return redirect("jobs:runs")


def uuid_in(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
