"""What no page has to think of: failures shown as pages, and what no database can look for."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.errors import status_of


class NulMiddleware:
    """Leaves NUL out of a query: PostgreSQL's text can't hold it, and no person types it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.META["QUERY_STRING"] = request.META.get("QUERY_STRING", "").replace("%00", "")
        return self.get_response(request)


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
