"""People: who has an account, invited by a link; for owners."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import PasswordResetConfirmView
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from maxft_site.web.forms import ChoosePasswordForm, InviteForm
from maxft_site.web.views.settings import member

PER_PAGE = 50
ORDERS = {
    "name": ("Name", F("username").asc()),
    "seen": ("Last seen", F("last_login").desc(nulls_last=True)),
    "since": ("Newest", F("date_joined").desc()),
}
"""What the list can be sorted by."""


def for_owners(view: Any) -> Any:
    """Refuse everybody but owners."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not member(request).is_superuser:
            raise PermissionDenied
        answer: HttpResponse = view(request, *args, **kwargs)
        return answer

    return guarded


@require_GET
@for_owners
def people(request: HttpRequest) -> HttpResponse:
    return show(request, InviteForm())


@require_http_methods(["GET", "POST"])
@never_cache
@for_owners
def invite(request: HttpRequest) -> HttpResponse:
    """Make an account without a password, and show its link in this one answer."""
    if request.method == "GET":
        return to_list(request)
    form = InviteForm(request.POST)
    if not form.is_valid():
        return show(request, form, status=422)
    return show(request, InviteForm(), invited=form.save(), status=201)


@require_http_methods(["GET", "POST"])
@never_cache
@for_owners
def link(request: HttpRequest, pk: int) -> HttpResponse:
    """A new link to choose a password with; an older one that is unused opens as well."""
    if request.method == "GET":
        return to_list(request)
    return show(request, InviteForm(), invited=get_object_or_404(User, pk=pk, is_active=True))


def to_list(request: HttpRequest) -> HttpResponse:
    """The list, sorted and paged as asked for on the page with a link."""
    return redirect(f"{reverse('web:people')}?{request.GET.urlencode()}")


@require_POST
@for_owners
@transaction.atomic
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Close an account or open it again; what is its stays."""
    require_owner_still(request)
    person = get_object_or_404(User.objects.exclude(pk=member(request).pk), pk=pk)
    person.is_active = not person.is_active
    person.save(update_fields=["is_active"])
    word = "open" if person.is_active else "closed"
    messages.success(request, f"The account of {person.get_username()} is {word}.")
    return redirect("web:people")


@require_POST
@for_owners
@transaction.atomic
def role(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a member an owner, or an owner a member. Nobody changes their own role, so that an
    owner always remains."""
    require_owner_still(request)
    person = get_object_or_404(User.objects.exclude(pk=member(request).pk), pk=pk)
    person.is_superuser = person.is_staff = not person.is_superuser
    person.save(update_fields=["is_superuser", "is_staff"])
    word = "an owner" if person.is_superuser else "a member"
    messages.success(request, f"{person.get_username()} is {word} now.")
    return redirect("web:people")


def require_owner_still(request: HttpRequest) -> None:
    """Of two owners who close or demote each other at the same moment the second is refused."""
    owners = User.objects.select_for_update().filter(is_superuser=True, is_active=True)
    if member(request).pk not in {owner.pk for owner in owners}:
        raise PermissionDenied


@method_decorator(login_not_required, name="dispatch")
class ChoosePassword(PasswordResetConfirmView):
    """Where an invitation's link leads; good once, and for three days."""

    template_name = "web/choose_password.html"
    form_class = ChoosePasswordForm
    post_reset_login = True
    success_url = reverse_lazy("jobs:home")


def show(
    request: HttpRequest, form: InviteForm, *, invited: User | None = None, status: int = 200
) -> HttpResponse:
    asked = request.GET.get("order", "")
    order = asked if asked in ORDERS else "name"
    found = User.objects.order_by(ORDERS[order][1], "pk")
    context = {
        "form": form,
        "invited": invited,
        "link": request.build_absolute_uri(address_of(invited)) if invited else "",
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "order": order,
        "orders": [(name, label) for name, (label, _) in ORDERS.items()],
    }
    return render(request, "web/people.html", context, status=status)


def address_of(person: User) -> str:
    """Where `person` chooses a password. Signed by the password that is to be replaced, so that
    it is good once."""
    name = urlsafe_base64_encode(force_bytes(person.pk))
    return reverse("web:choose-password", args=[name, default_token_generator.make_token(person)])
