"""Signing in, the first visit, a new password."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from maxft_site.web import setup_token
from maxft_site.web.forms import NewPasswordForm, OwnerForm, SignInForm
from maxft_site.web.limits.sign_in import PERIOD, forget, may_try, remember_device
from maxft_site.web.setup_token import SetupTokenError


class SignIn(LoginView):
    """The way in, with a limit on tries."""

    template_name = "web/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True
    extra_context = {"has_owner": setup_token.has_owner}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if may_try(request, request.POST.get("username", "")):
            return super().post(request, *args, **kwargs)
        form = self.form_class(request)
        context = self.get_context_data(form=form, is_too_often=True)
        response = self.render_to_response(context, status=HTTPStatus.TOO_MANY_REQUESTS)
        response["Retry-After"] = str(int(PERIOD.total_seconds()))
        return response

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        account = form.cleaned_data["username"]
        forget(self.request, account)
        response = super().form_valid(form)
        remember_device(response, account)
        return response


class ChangePassword(PasswordChangeView):
    """A new password ends every other session of the account."""

    template_name = "web/password.html"
    form_class = NewPasswordForm
    success_url = reverse_lazy("web:settings")

    def form_valid(self, form: Any) -> HttpResponse:
        done = "Your password is changed; other browsers are signed out, API keys are revoked."
        messages.success(self.request, done)
        return super().form_valid(form)


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    """The first visit: whoever has the token from the console makes the owner's account."""
    if setup_token.has_owner():
        return redirect("web:login")
    token = request.POST.get("token") or request.GET.get("token", "")
    form = OwnerForm(request.POST or None)
    try:
        setup_token.check(settings.DATA_DIR, token)
        if request.method == "POST" and form.is_valid():
            with transaction.atomic():
                owner = form.save()
                setup_token.use_up(settings.DATA_DIR, token)
            login(request, owner)
            return redirect("jobs:home")
    except SetupTokenError as error:
        return render(request, "web/setup_refused.html", {"error": error}, status=error.status)
    return render(request, "web/setup.html", {"form": form, "token": token})


def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """The admin has no door of its own: one page to sign in, one limit on tries."""
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect(f"{reverse_lazy('web:login')}?{request.GET.urlencode()}")
