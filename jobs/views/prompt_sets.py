"""Prompt sets: prompts kept under a name, to be asked of one model after the other."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from jobs.models import PromptSet
from jobs.services.playground import saved
from jobs.views.request import Request
from jobs.views.run_list import heads, query_without_page
from maxaillm.dev.finetune.errors import FineTuneError

SETS_PER_PAGE = 25
COLUMNS = (("name", "Name"), ("updated", "Changed"))


class PromptSetForm(forms.Form):
    """A name and prompts."""

    name = forms.CharField(label="Name", max_length=120)
    prompts = forms.CharField(
        label="Prompts",
        max_length=1_000_000,
        help_text="One a line; empty lines are left out.",
        widget=forms.Textarea(attrs={"rows": 12}),
    )


@require_http_methods(["GET", "POST"])
def prompt_sets(request: Request) -> HttpResponse:
    """All of them, and a form for a new one."""
    form = PromptSetForm(request.POST or None)
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            made = saved.create_prompt_set(owner=request.user, **written(form))
        except FineTuneError as problem:
            error = problem
        else:
            messages.success(request, f"{made.name} is kept: {len(made.prompts)} prompts.")
            return redirect("jobs:prompt-sets")
    asked = request.GET.get("sort", "")
    order = asked if asked.removeprefix("-") in dict(COLUMNS) else "-updated"
    found = PromptSet.objects.visible_to(request.user).order_by(order, "-pk")
    page = Paginator(found, SETS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "form": form,
        "error": error,
        "heads": heads(request.GET, order, COLUMNS),
        "query": query_without_page(request.GET),
    }
    return render(request, "jobs/prompt_sets.html", context, status=status_of_form(form, error))


@require_http_methods(["GET", "POST"])
def prompt_set(request: Request, pk: int) -> HttpResponse:
    """One of them, to be changed."""
    shown = get_object_or_404(PromptSet.objects.visible_to(request.user), pk=pk)
    kept = {"name": shown.name, "prompts": "\n".join(shown.prompts)}
    form = PromptSetForm(request.POST or None, initial=kept)
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            saved.change_prompt_set(prompt_set=shown, **written(form))
        except FineTuneError as problem:
            error = problem
        else:
            messages.success(request, f"{shown.name} is changed.")
            return redirect(shown)
    context = {"prompt_set": shown, "form": form, "error": error}
    return render(request, "jobs/prompt_set.html", context, status=status_of_form(form, error))


@require_POST
def prompt_set_delete(request: Request, pk: int) -> HttpResponse:
    shown = get_object_or_404(PromptSet.objects.visible_to(request.user), pk=pk)
    saved.delete_prompt_set(prompt_set=shown)
    messages.success(request, f"{shown.name} is deleted.")
    return redirect("jobs:prompt-sets")


def written(form: PromptSetForm) -> dict[str, Any]:
    data = form.cleaned_data
    return {"name": data["name"], "prompts": data["prompts"].splitlines()}


def status_of_form(form: PromptSetForm, error: FineTuneError | None) -> int:
    return 422 if error or form.errors else 200
