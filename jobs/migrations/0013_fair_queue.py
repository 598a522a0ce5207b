"""Accounts of device time, and what the queue orders runs by."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0012_webhooks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("run", "device_kind", models.CharField(blank=True, max_length=10)),
        migrations.AddField("run", "device_seconds", models.FloatField(default=0)),
        migrations.AddField("run", "needed_seconds", models.FloatField(null=True)),
        migrations.AddField("run", "own_place", models.PositiveIntegerField(null=True)),
        migrations.AddField("run", "priority", models.SmallIntegerField(default=0)),
        migrations.AlterField(
            "run",
            "stop",
            models.CharField(
                blank=True,
                choices=[("cancel", "Cancel"), ("save", "Save"), ("pause", "Pause"), ("room", "Room")],
                max_length=6,
            ),
        ),
        migrations.CreateModel(
            name="DeviceAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=10)),
                ("virtual", models.FloatField(default=0)),
                ("device_seconds", models.FloatField(default=0)),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="device_accounts", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user", "kind"), name="account_of_a_kind")],
            },
        ),
    ]
