"""Trigger that keeps ended runs ended, made anew where a migration has lost it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

MADE_BY = "0003_ended_runs_stay_ended"
FOUND = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = 'run_stays_ended'"


def ensure_trigger(using: str, **signal: Any) -> None:
    """After migrations. SQLite adds a column by copying the table, whose triggers are lost."""
    connection = connections[using]
    is_wanted = ("jobs", MADE_BY) in MigrationRecorder(connection).applied_migrations()
    if connection.vendor != "sqlite" or not is_wanted:
        return
    with connection.cursor() as cursor:
        if cursor.execute(FOUND).fetchone() is None:
            trigger = import_module(f"jobs.migrations.{MADE_BY}")
            cursor.execute(trigger.CREATE["sqlite"])
