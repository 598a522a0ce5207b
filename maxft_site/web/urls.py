"""Addresses of signing in, the first visit, settings, people, search and health."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.templatetags.static import static
from django.urls import URLPattern, path
from django.views.generic import RedirectView

from maxft_site.web.views import accounts, health, people, search, settings

app_name = "web"
urlpatterns: list[URLPattern] = [
    path("login/", accounts.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("setup/", accounts.setup, name="setup"),
    path("admin/login/", login_not_required(accounts.admin_sign_in)),
    path("search/", search.search, name="search"),
    path("settings/", settings.settings_page, name="settings"),
    path("settings/password/", accounts.ChangePassword.as_view(), name="password"),
    path("settings/keys/", settings.token_new, name="token-new"),
    path("settings/keys/<int:pk>/revoke/", settings.token_revoke, name="token-revoke"),
    path("settings/people/", people.people, name="people"),
    path("settings/people/new/", people.invite, name="person-new"),
    path("settings/people/<int:pk>/link/", people.link, name="person-link"),
    path("settings/people/<int:pk>/switch/", people.switch, name="person-switch"),
    path("settings/people/<int:pk>/role/", people.role, name="person-role"),
    path("invitation/<uidb64>/<token>/", people.ChoosePassword.as_view(), name="choose-password"),
    path("healthz", health.health, name="health"),
    path("favicon.ico", login_not_required(RedirectView.as_view(url=static("img/favicon.svg")))),
]
