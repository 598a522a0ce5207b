"""Addresses of signing in, the first visit and settings."""

from django.contrib.auth import views as auth
from django.urls import URLPattern, path

app_name = "web"
urlpatterns: list[URLPattern] = [
    path("login/", auth.LoginView.as_view(template_name="web/login.html"), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
]
