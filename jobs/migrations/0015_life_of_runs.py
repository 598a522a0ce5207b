"""Runs that go on, wait for a time or for each other; drafts of runs, and pauses of the queue."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

STATUSES = [
    ("queued", "Queued"), ("starting", "Starting"), ("running", "Running"), ("saving", "Saving"),
    ("pausing", "Pausing"), ("paused", "Paused"), ("cancelling", "Stopping"),
    ("succeeded", "Finished"), ("failed", "Failed"), ("cancelled", "Stopped"),
]  # fmt: skip


def forget_drafts(apps, schema_editor):
    """No page ever made one; they have tables of their own from now on."""
    apps.get_model("jobs", "Run").objects.filter(status="draft").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0014_notes_and_tags"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(forget_drafts, migrations.RunPython.noop, elidable=True),
        migrations.CreateModel(
            "QueuePause",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(blank=True, max_length=10, unique=True)),
                ("since", models.DateTimeField(auto_now_add=True)),
                ("why", models.CharField(blank=True, max_length=200)),
                ("by", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            "RunDraft",
            [
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("fields", models.TextField()),
                ("changed", models.DateTimeField(auto_now=True)),
                ("owner", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="run_drafts", to=settings.AUTH_USER_MODEL)),
            ],
            options={"ordering": ["-changed"]},
        ),
        migrations.RemoveConstraint("run", "run_status_known"),
        migrations.AddField("run", "after", models.ForeignKey(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="successors", to="jobs.run")),
        migrations.AddField("run", "is_ready", models.BooleanField(default=True)),
        migrations.AddField("run", "start_at", models.DateTimeField(null=True)),
        migrations.AddField("run", "start_step", models.PositiveIntegerField(default=0)),
        migrations.AlterField("run", "status", models.CharField(choices=STATUSES, default="queued", max_length=10)),
        migrations.AddIndex("run", models.Index(fields=["status", "is_ready"], name="jobs_run_status_2eea80_idx")),
        migrations.AddConstraint(
            "run",
            models.CheckConstraint(condition=models.Q(status__in=[status for status, _ in STATUSES]), name="run_status_known"),
        ),
    ]  # fmt: skip
