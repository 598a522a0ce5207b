"""What the REST APIs share: who may call, how failures read, paging."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from ninja import Field, NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationErrorContext
from ninja.pagination import PaginationBase
from ninja.params.models import BodyModel
from ninja.security import HttpBearer, SessionAuth
from pydantic import ValidationError

from maxaillm.dev.finetune.components.problems import problems_of
from maxaillm.dev.finetune.errors import ConfigError, FineTuneError, Problem
from maxft_site.web.errors import status_of
from maxft_site.web.models import ApiToken

NOT_HERE = {
    "code": "not_found",
    "message": "There is nothing at this address, or it isn't yours.",
    "hint": "Look the id up in the list.",
}
"""One answer for both, so that nobody can find out what others have."""
NO_KEY = {
    "code": "unauthorized",
    "message": "This call needs a key.",
    "hint": "Send `Authorization: Bearer KEY`; make a key on the page Settings.",
}


OUT_OF_SCOPE = "This key is not for that: make one with another scope on the page Settings."


def user_by_key(request: HttpRequest, key: str) -> User | None:
    """Whose `key` is, noted in the request. Raises HttpError 403 where its scope is too narrow."""
    token = ApiToken.of(key)
    if token is None:
        return None
    if not token.opens(request.method or "", request.path):
        raise HttpError(403, OUT_OF_SCOPE)
    request.user = token.user
    return token.user


class BearerAuth(HttpBearer):
    """`Authorization: Bearer KEY`, with a key of the page Settings."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        return user_by_key(request, token)


class BrowserAuth(SessionAuth):
    """The browser's session; what changes something needs the CSRF token as well."""

    def __call__(self, request: HttpRequest) -> Any | None:
        if "Authorization" in request.headers or not request.user.is_authenticated:
            return None
        return super().__call__(request)


def user_of(request: HttpRequest) -> User | None:
    """Whom the request's key or session belongs to; None also where the key is not for this."""
    by_key = "Authorization" in request.headers
    try:
        user = BearerAuth()(request) if by_key else request.user
    except HttpError:
        return None
    return user if isinstance(user, User) else None


def members_only(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """For the pages of an API: its description is for those who may call it."""

    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if user_of(request) is None:
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    return page


class SiteAPI(NinjaAPI):
    """An API whose mistakes carry path, value and what is allowed, as the command line's do."""

    def _get_urls(self) -> list[Any]:
        patterns: list[Any] = super()._get_urls()
        for pattern in patterns:
            # An API answers 401 itself; a redirect to the login page would serve no program.
            login_not_required(pattern.callback)
        return patterns

    def validation_error_from_error_contexts(  # type: ignore[override]
        self, error_contexts: list[ValidationErrorContext[Any]]
    ) -> ConfigError:
        problems = [
            problem
            for context in error_contexts
            for problem in problems_in(context.model, context.pydantic_validation_error)
        ]
        return ConfigError(problems)


def problems_in(params: Any, error: ValidationError) -> list[Problem]:
    """A request's mistakes, with paths as the caller wrote them: our parameter's name is none."""
    names = params.model_fields
    schemas = {name for name, info in names.items() if hasattr(info.annotation, "model_fields")}
    if len(names) > 1 and issubclass(params, BodyModel):
        schemas = set()
    return [
        problem._replace(path=below(problem.path, schemas))
        for problem in problems_of(params, error)
    ]


def below(path: str, parents: set[str]) -> str:
    first, _, rest = path.partition(".")
    return rest if rest and first in parents else path


class Page(PaginationBase):
    """`?limit=&offset=` → `{items, total}`."""

    class Input(Schema):
        limit: int = Field(50, ge=1, le=500)
        offset: int = Field(0, ge=0, le=2**62)

    class Output(Schema):
        items: list[Any]
        total: int

    def paginate_queryset(
        self, queryset: QuerySet[Any], pagination: Input, request: HttpRequest, **params: Any
    ) -> dict[str, Any]:
        start = pagination.offset
        return {
            "items": list(queryset[start : start + pagination.limit]),
            "total": self._items_count(queryset),
        }


def failure(status: int, code: str, message: str, hint: str = "") -> JsonResponse:
    body = {"code": code, "message": message, "hint": hint}
    return JsonResponse({"error": body}, status=status)


def show_problem(request: HttpRequest, error: FineTuneError) -> HttpResponse:
    status = status_of(error)
    if isinstance(error, ConfigError):
        problems = [problem.as_json() for problem in error.problems]
        return JsonResponse({"errors": problems}, status=status)
    return JsonResponse({"error": error.as_json()}, status=status)


def show_not_here(request: HttpRequest, error: Http404) -> HttpResponse:
    return JsonResponse({"error": NOT_HERE}, status=404)


def show_no_key(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    headers = {"WWW-Authenticate": "Bearer"}
    return JsonResponse({"error": NO_KEY}, status=401, headers=headers)


def show_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return failure(error.status_code, code, error.message)


def make_api(title: str, namespace: str) -> SiteAPI:
    """An API for keys and sessions; every failure is `{error}` or `{errors}` with a next step."""
    api = SiteAPI(
        title=title,
        version="1",
        urls_namespace=namespace,
        auth=[BearerAuth(), BrowserAuth()],
        docs_decorator=members_only,
    )
    api.exception_handler(FineTuneError)(show_problem)
    api.exception_handler(Http404)(show_not_here)
    api.exception_handler(AuthenticationError)(show_no_key)
    api.exception_handler(HttpError)(show_http_error)
    return api
