"""The shared app."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "maxft_site.web"
    label = "web"
