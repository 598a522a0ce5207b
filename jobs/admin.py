"""Runs, their events and models in the admin: to look at, services write them."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from jobs.models import Event, LanguageModel, Run, Transition


class ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class TransitionInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = Transition


@admin.register(Run)
class RunAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("pk", "name", "owner", "status", "attempt", "step", "total_steps", "created")
    list_filter = ("status",)
    search_fields = ("name", "owner__username")
    list_select_related = ("owner",)
    inlines = (TransitionInline,)


@admin.register(Event)
class EventAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("run_id", "seq", "attempt", "kind", "step")
    list_filter = ("kind",)
    show_full_result_count = False


@admin.register(LanguageModel)
class LanguageModelAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("pk", "name", "kind", "owner", "size_bytes", "created")
    list_filter = ("kind",)
    search_fields = ("name",)
