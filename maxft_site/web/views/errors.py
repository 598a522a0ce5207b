"""What Django shows where a page is missing, forbidden or broken; for programs, as JSON."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token

from maxft_site.web.api import NOT_HERE, failure

APIS = ("/api/", "/v1/")


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(APIS):
        return failure(404, **NOT_HERE)
    return render(request, "404.html", status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(APIS):
        hint = "Check the address, its host name and the form of the body."
        return failure(400, "bad_request", "The request makes no sense.", hint)
    return render(request, "400.html", status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(APIS):
        hint = "The server's log has the details; try again later."
        return failure(500, "server_error", "Something broke on the server.", hint)
    # Without the request: the database, and so the session, may be what broke.
    return HttpResponseServerError(render_to_string("500.html"))
