"""The REST API of the account: whose key it is, and which site answers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from maxaillm import __version__

router = Router(tags=["account"])


class AccountOut(Schema):
    username: str
    is_superuser: bool
    version: str


@router.get("/me", response=AccountOut, summary="Who the key belongs to, and the site's version")
def show_account(request: HttpRequest) -> dict[str, Any]:
    user = request.user
    return {
        "username": user.get_username(),
        "is_superuser": user.is_superuser,
        "version": __version__,
    }
