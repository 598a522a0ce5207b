"""Addresses of signing in, the first visit, settings and search."""

from django.contrib.auth import views as auth
from django.urls import URLPattern, path

from maxft_site.web.views import search, settings

app_name = "web"
urlpatterns: list[URLPattern] = [
    path("login/", auth.LoginView.as_view(template_name="web/login.html"), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("search/", search.search, name="search"),
    path("settings/", settings.settings_page, name="settings"),
]
