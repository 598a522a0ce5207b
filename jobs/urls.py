"""Addresses of runs, models and the playground."""

from django.urls import URLPattern, path

from jobs.views import home

app_name = "jobs"
urlpatterns: list[URLPattern] = [
    path("", home.home, name="home"),
]
