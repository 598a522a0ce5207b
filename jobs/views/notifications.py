"""Notifications of a person: by which channels they are told of what."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jobs.models import NotificationChannel, Occasion
from jobs.notify import chat_services, email
from jobs.services import notifications as services
from jobs.views.request import Request

Kind = NotificationChannel.Kind
PAGE = "jobs:notifications"


class WebhookForm(forms.Form):
    """Where to."""

    target = forms.URLField(
        label="Address",
        max_length=500,
        assume_scheme="https",
        widget=forms.URLInput(attrs={"placeholder": "https://…"}),
    )

    def clean_target(self) -> str:
        url: str = self.cleaned_data["target"]
        parts = urlsplit(url)
        if parts.scheme != "https" and not (settings.PRIVATE_WEBHOOKS and parts.scheme == "http"):
            raise ValidationError("Give an address that begins with https://.")
        if parts.username or parts.password:
            raise ValidationError("Leave the name and the password out: messages are signed.")
        return url


class EmailForm(forms.Form):
    """Which mailbox; its reader confirms by a link."""

    target = forms.EmailField(label="E-mail address", max_length=254)


class ServiceForm(forms.Form):
    """Which chat service, as Apprise writes it. It holds a key, so it is not shown again."""

    target = forms.CharField(
        label="Apprise address",
        max_length=500,
        widget=forms.PasswordInput(
            attrs={"placeholder": "slack://…", "autocomplete": "off"}, render_value=False
        ),
    )

    def clean_target(self) -> str:
        address: str = self.cleaned_data["target"].strip()
        try:
            chat_services.require_service(address)
        except chat_services.ServiceError as error:
            raise ValidationError(f"{error.message} {error.hint}") from None
        return address


FORMS: dict[str, type[forms.Form]] = {
    Kind.EMAIL: EmailForm, Kind.WEBHOOK: WebhookForm, Kind.APPRISE: ServiceForm,
}  # fmt: skip


class OccasionsForm(forms.Form):
    """What of."""

    occasions = forms.MultipleChoiceField(choices=Occasion.choices, required=False)
    wait_hours = forms.IntegerField(min_value=1, max_value=720)


@require_GET
@never_cache
def notifications(request: Request) -> HttpResponse:
    return show(request)


@require_POST
def channel_new(request: Request, kind: str) -> HttpResponse:
    if kind not in Kind or not is_offered(kind):
        raise Http404
    form = FORMS[kind](request.POST, prefix=kind) if kind in FORMS else None
    if form is not None and not form.is_valid():
        return show(request, form, status=422)
    target = form.cleaned_data["target"] if form is not None else ""
    try:
        channel = services.add_channel(
            owner=request.user,
            kind=kind,
            target=target,
            site_url=request.build_absolute_uri("/").rstrip("/"),
            is_confirmed=kind != Kind.EMAIL,
        )
    except services.TooManyError as error:
        if form is None:
            raise
        form.add_error(None, f"{error.message} {error.hint}")
        return show(request, form, status=error.status)
    if kind == Kind.EMAIL and not channel.is_confirmed:
        services.order_test(channel)
        messages.success(request, "A link to confirm the address is on its way to it.")
    return redirect(PAGE)


def is_offered(kind: str) -> bool:
    """Whether the site is set up for it."""
    if kind == Kind.EMAIL:
        return email.is_set_up()
    return kind != Kind.APPRISE or chat_services.is_installed()


@require_POST
def channel_test(request: Request, pk: int) -> HttpResponse:
    services.order_test(own(request, pk))
    messages.success(request, "A test is on its way. What came of it is told here.")
    return redirect(PAGE)


@require_POST
def channel_occasions(request: Request, pk: int) -> HttpResponse:
    channel = own(request, pk)
    form = OccasionsForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Give the hours as a whole number from 1 to 720.")
        return redirect(PAGE)
    services.choose_occasions(channel, **form.cleaned_data)
    messages.success(request, "Saved.")
    return redirect(PAGE)


@require_POST
def channel_delete(request: Request, pk: int) -> HttpResponse:
    own(request, pk).delete()
    messages.success(request, "Nothing is sent there any more.")
    return redirect(PAGE)


@require_http_methods(["GET", "POST"])
def email_confirm(request: Request, token: str) -> HttpResponse:
    """Asked first: programs that look at mail open its links."""
    channel = own(request, email.confirmed_by(token) or 0)
    if request.method == "GET":
        return render(request, "jobs/email_confirm.html", {"channel": channel})
    services.confirm(channel)
    messages.success(request, f"{channel.target} is told from now on.")
    return redirect(PAGE)


def own(request: Request, pk: int) -> NotificationChannel:
    return get_object_or_404(NotificationChannel.objects.visible_to(request.user), pk=pk)


def show(request: Request, failed: forms.Form | None = None, *, status: int = 200) -> HttpResponse:
    found = NotificationChannel.objects.visible_to(request.user)
    unbound = {kind: form(prefix=kind) for kind, form in FORMS.items()}
    if failed is not None:
        unbound[failed.prefix or ""] = failed
    by_kind = {kind: [channel for channel in found if channel.kind == kind] for kind in Kind}
    context: dict[str, Any] = {
        "kinds": [
            {
                "kind": kind.value,
                "channels": by_kind[kind],
                "form": unbound.get(kind),
                "is_offered": is_offered(kind),
            }
            for kind in Kind
        ],
        "occasions": Occasion.choices,
        "services": settings.APPRISE_SERVICES,
    }
    return render(request, "jobs/notifications.html", context, status=status)
