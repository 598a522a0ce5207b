"""Addresses of the sockets."""

from django.urls import URLPattern, path

from jobs.consumers import RunConsumer

websocket_urlpatterns: list[URLPattern] = [
    path("ws/runs/<int:pk>/", RunConsumer.as_asgi()),
]
