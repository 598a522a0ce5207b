"""The request that every view of a signed-in user gets."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class Request(HttpRequest):
    """LoginRequiredMiddleware sees to `user`, HtmxMiddleware to `htmx`."""

    user: User
    htmx: HtmxDetails
