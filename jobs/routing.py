"""Addresses of the sockets."""

from django.urls import URLPattern, path

from jobs.consumers import RunConsumer
from jobs.notify.socket import NoticeConsumer

websocket_urlpatterns: list[URLPattern] = [
    path("ws/runs/<int:pk>/", RunConsumer.as_asgi()),
    path("ws/notices/", NoticeConsumer.as_asgi()),
]
