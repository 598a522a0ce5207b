"""Webhooks of a person: addresses that are told when their runs end."""

from __future__ import annotations

from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from jobs.models import Webhook
from jobs.services.webhooks import TooManyWebhooksError, add_webhook, order
from jobs.views.request import Request


class WebhookForm(forms.Form):
    """Where to."""

    url = forms.URLField(
        label="Address",
        max_length=500,
        assume_scheme="https",
        widget=forms.URLInput(attrs={"placeholder": "https://…"}),
    )

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        parts = urlsplit(url)
        if parts.scheme != "https" and not (settings.PRIVATE_WEBHOOKS and parts.scheme == "http"):
            raise ValidationError("Give an address that begins with https://.")
        if parts.username or parts.password:
            raise ValidationError("Leave the name and the password out: messages are signed.")
        return url


@require_http_methods(["GET", "POST"])
@never_cache
def webhooks(request: Request) -> HttpResponse:
    if request.method == "GET":
        return show(request, WebhookForm())
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return show(request, form, status=422)
    try:
        add_webhook(owner=request.user, url=form.cleaned_data["url"])
    except TooManyWebhooksError as error:
        form.add_error(None, f"{error.message} {error.hint}")
        return show(request, form, status=error.status)
    return redirect("jobs:webhooks")


@require_POST
def webhook_test(request: Request, pk: int) -> HttpResponse:
    order(own(request, pk))
    messages.success(request, "A test is on its way. What came of it is told here.")
    return redirect("jobs:webhooks")


@require_POST
def webhook_delete(request: Request, pk: int) -> HttpResponse:
    own(request, pk).delete()
    messages.success(request, "Nothing is sent there any more.")
    return redirect("jobs:webhooks")


def own(request: Request, pk: int) -> Webhook:
    return get_object_or_404(Webhook.objects.visible_to(request.user), pk=pk)


def show(request: Request, form: WebhookForm, *, status: int = 200) -> HttpResponse:
    found = Webhook.objects.visible_to(request.user)
    context = {"form": form, "webhooks": found, "most": Webhook.MOST}
    return render(request, "jobs/webhooks.html", context, status=status)
