"""Every address of the site."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from jobs.api import api
from jobs.api.openai import openai_api

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("jobs.urls")),
    path("datasets/", include("datasets_app.urls")),
    path("", include("maxft_site.web.urls")),
    path("api/v1/", api.urls),
    path("v1/", openai_api.urls),
    path("admin/", admin.site.urls),
]
handler400 = "maxft_site.web.views.errors.bad_request"
handler404 = "maxft_site.web.views.errors.not_found"
handler500 = "maxft_site.web.views.errors.server_error"
