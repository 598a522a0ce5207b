"""What a person chooses of a repository of the Hub, before it is fetched."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from datasets_app.pages.hub_form import HubChoice
from datasets_app.services import choose_of_hub
from datasets_app.views.dataset import own_version, render_tab
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.errors import status_of


@require_POST
def hub_choice(request: HttpRequest, pk: int) -> HttpResponse:
    """Fetch what was chosen; where another subset was, show its splits first."""
    version = own_version(request, pk)
    choice = HubChoice.of(version, request.POST.dict())
    if choice is None:
        return redirect(version.dataset)
    if not choice.is_complete:
        return render_tab(request, version, "state", choice=choice)
    splits = {split.name: split.becomes for split in choice.splits}
    try:
        choose_of_hub(version=version, subset=choice.subset, splits=splits)
    except FineTuneError as error:
        status = status_of(error)
        return render_tab(request, version, "state", status, choice=choice, problem=error)
    return redirect(version.dataset)
