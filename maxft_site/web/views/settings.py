"""Settings: the account, API keys, storage, versions."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from maxaillm import __version__
from maxft_site.web.about import libraries, stored
from maxft_site.web.forms import TokenForm
from maxft_site.web.models import ApiToken, TooManyTokensError


@require_GET
def settings_page(request: HttpRequest) -> HttpResponse:
    return show(request, TokenForm())


@require_http_methods(["GET", "POST"])
@never_cache
def token_new(request: HttpRequest) -> HttpResponse:
    """Make a key and show it in this one answer, which nothing keeps."""
    if request.method == "GET":
        return redirect("web:settings")
    form = TokenForm(request.POST)
    if not form.is_valid():
        return show(request, form, status=422)
    try:
        key = ApiToken.issue(member(request), **form.cleaned_data)
    except TooManyTokensError as error:
        form.add_error(None, f"{error.message} {error.hint}")
        return show(request, form, status=error.status)
    return show(request, TokenForm(), key=key, status=201)


@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=pk, user=member(request))
    token.delete()
    messages.success(request, f"The key “{token.name}” opens nothing any more.")
    return redirect("web:settings")


def show(
    request: HttpRequest, form: TokenForm, *, key: str = "", status: int = 200
) -> HttpResponse:
    user = member(request)
    context = {
        "form": form,
        "key": key,
        "tokens": user.api_tokens.order_by("-created"),
        "stored": stored() if user.is_staff else [],
        "libraries": libraries(),
        "version": __version__,
    }
    return render(request, "web/settings.html", context, status=status)


def member(request: HttpRequest) -> User:
    """The signed-in user; LoginRequiredMiddleware lets nobody else in."""
    assert isinstance(request.user, User)
    return request.user
