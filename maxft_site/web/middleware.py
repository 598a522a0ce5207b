"""Failures a user can act on, as pages."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.errors import status_of


class FineTuneErrorMiddleware:
    """Shows a FineTuneError as a page with its hint, or to htmx as a notice in the corner."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, FineTuneError):
            return None
        status = status_of(error)
        if not getattr(request, "htmx", False):
            return render(request, "web/error.html", {"error": error}, status=status)
        notice = {"text": error.message, "hint": error.hint, "level": "error"}
        response = render(request, "components/notice.html", notice, status=status)
        response["HX-Retarget"], response["HX-Reswap"] = "#notices", "beforeend"
        return response
