"""Failures a user can act on, as pages."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from maxaillm.dev.finetune.errors import FineTuneError


class FineTuneErrorMiddleware:
    """Shows a FineTuneError as a page with its hint, or as a part of one to htmx."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, FineTuneError):
            return None
        return render(request, "web/error.html", {"error": error}, status=400)
