"""How often one may try to sign in: 5 a minute for an account, 30 for all, from one address.

Counted in the database, which every web process shares and which is there when Redis is not.
An account is only closed for the address that tried, so that nobody locks others out.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from maxft_site.web.models import SignInTry

PERIOD = timedelta(minutes=1)
TRIES_AN_ACCOUNT = 5
TRIES_AN_ADDRESS = 30


def may_try(account: str, address: str) -> bool:
    """Note a try, and say whether it is within the limits. It counts before it is judged."""
    SignInTry.objects.filter(time__lte=timezone.now() - PERIOD).delete()
    mine = SignInTry.objects.create(account=name_of(account), address=address)
    tries = SignInTry.objects.filter(address=address)
    within = (
        tries.filter(account=mine.account).count() <= TRIES_AN_ACCOUNT
        and tries.count() <= TRIES_AN_ADDRESS
    )
    if not within:
        mine.delete()
    return within


def forget(account: str, address: str) -> None:
    """After a success."""
    SignInTry.objects.filter(account=name_of(account), address=address).delete()


def name_of(account: str) -> str:
    return account.casefold()[:150]
