"""How often one may try to sign in, in a minute: 5 times to an account from one place, 30 times
from one address, 100 times to an account from all addresses.

Counted in the database, which every web process shares and which is there when Redis is not. A
browser that has signed in to the account before is a place of its own, known by a signed cookie (a
device cookie, as OWASP has it): what others try, at its address or elsewhere, does not shut it out.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from maxft_site.web.columns.keys import digest_of
from maxft_site.web.models import SignInTry

PERIOD = timedelta(minutes=1)
TRIES_FROM_A_PLACE = 5
TRIES_FROM_AN_ADDRESS = 30
TRIES_AT_AN_ACCOUNT = 100
COOKIE, SALT = "maxft_device", "maxft.device"
COOKIE_AGE = timedelta(days=365)
DEVICE = "device "


def may_try(request: HttpRequest, account: str) -> bool:
    """Note a try, and say whether it is within the limits. It counts before it is judged."""
    SignInTry.objects.filter(time__lte=timezone.now() - PERIOD).delete()
    place = place_of(request, account)
    mine = SignInTry.objects.create(account=name_of(account), address=place)
    here = SignInTry.objects.filter(address=place)
    within = here.filter(account=mine.account).count() <= TRIES_FROM_A_PLACE
    if within and not place.startswith(DEVICE):
        strangers = SignInTry.objects.filter(account=mine.account)
        strangers = strangers.exclude(address__startswith=DEVICE)
        within = here.count() <= TRIES_FROM_AN_ADDRESS and strangers.count() <= TRIES_AT_AN_ACCOUNT
    if not within:
        mine.delete()
    return within


def forget(request: HttpRequest, account: str) -> None:
    """After a success."""
    place = place_of(request, account)
    SignInTry.objects.filter(account=name_of(account), address=place).delete()


def place_of(request: HttpRequest, account: str) -> str:
    """From where somebody tries: a browser that the account knows, else the address."""
    value = request.get_signed_cookie(COOKIE, "", salt=SALT) or ""
    number, _, name = value.partition(" ")
    if number and name == name_of(account):
        return f"{DEVICE}{digest_of(number)[:32]}"
    return address_of(request)


def remember_device(response: HttpResponseBase, account: str) -> None:
    """Have the browser keep that it has signed in to the account."""
    response.set_signed_cookie(
        COOKIE,
        f"{secrets.token_urlsafe(16)} {name_of(account)}",
        salt=SALT,
        max_age=int(COOKIE_AGE.total_seconds()),
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )


def address_of(request: HttpRequest) -> str:
    """The peer's address. A proxy's headers are the server's business, which knows its proxies."""
    return str(request.META.get("REMOTE_ADDR", ""))


def name_of(account: str) -> str:
    """As Django's form reads a name, so that no other spelling has tries of its own."""
    return User.normalize_username(account.replace("\0", "").strip()).casefold()[:150]
