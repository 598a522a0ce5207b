"""Sessions of sockets, which stay open for longer than a request takes."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User


def is_signed_in(user: Any, session_key: str | None) -> bool:
    """Whether a session is `user`'s still; read anew from its store, for it may have ended."""
    if user.is_anonymous:
        return False
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    found = User.objects.filter(pk=session.get(SESSION_KEY), is_active=True).first()
    if found is None or found.pk != user.pk:
        return False
    return bool(found.get_session_auth_hash() == session.get(HASH_SESSION_KEY))
