"""`Idempotency-Key`: the same request sent twice makes one thing and gives one answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja.decorators import decorate_view

from maxft_site.web.api import failure, user_of
from maxft_site.web.models import IdempotentReply

HEADER = "Idempotency-Key"
View = Callable[..., HttpResponse]


def idempotent(operation: Callable[..., Any]) -> Callable[..., Any]:
    """For a POST that creates; stands below `@api.post`."""
    return decorate_view(once)(operation)


def once(view: View) -> View:
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.headers.get(HEADER)
        user = user_of(request) if key else None
        if not key or user is None:
            return view(request, *args, **kwargs)
        if len(key) > 200:
            return failure(422, "idempotency_key", f"{HEADER} is longer than 200 characters.")
        return kept_or_new(user, key, request, lambda: view(request, *args, **kwargs))

    return answer


def kept_or_new(
    user: User, key: str, request: HttpRequest, make: Callable[[], HttpResponse]
) -> HttpResponse:
    """The claim, what the request makes and the answer stand or fall together in one transaction.

    So a crash leaves no claim behind, and of two at once the second waits for the first's answer.
    """
    digest = digest_of(request)
    IdempotentReply.objects.filter(user=user).stale().delete()
    try:
        with transaction.atomic():
            claim = IdempotentReply.objects.create(user=user, key=key, request_digest=digest)
            response = make()
            if response.status_code >= 400:
                transaction.set_rollback(True)
                return response
            claim.status, claim.body = response.status_code, json.loads(response.content)
            claim.save(update_fields=["status", "body"])
            return response
    except IntegrityError:
        kept = IdempotentReply.objects.filter(user=user, key=key).first()
        if kept is None:
            raise
    return repeated(kept, digest)


def repeated(kept: IdempotentReply, digest: str) -> HttpResponse:
    if kept.request_digest != digest:
        message = f"This {HEADER} came with another request before."
        return failure(422, "idempotency_key", message, "Send a new key with a new request.")
    response = JsonResponse(kept.body, status=kept.status, safe=False)
    response["Idempotency-Replayed"] = "true"
    return response


def digest_of(request: HttpRequest) -> str:
    """Of what is asked; of a form, the fields and files, whose separator differs each time."""
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if request.content_type != "multipart/form-data":
        digest.update(request.body)
        return digest.hexdigest()
    digest.update(repr(sorted(request.POST.lists())).encode())
    files = [(name, file) for name in sorted(request.FILES) for file in request.FILES.getlist(name)]
    for name, file in files:
        digest.update(f"\n{name} {file.name}\n".encode())
        for chunk in file.chunks():
            digest.update(chunk)
        file.seek(0)
    return digest.hexdigest()
