"""Webhooks become one kind of channel, deliveries notices with an occasion."""

import django.db.models.deletion
from django.db import migrations, models

import jobs.models.notification

OF_STATUS = {"succeeded": "finished", "failed": "failed", "cancelled": "stopped"}


def say_occasions(apps, schema_editor):
    """What was sent about a run was about its end; of one run and webhook the newest is kept."""
    Notice = apps.get_model("jobs", "Notice")
    seen = set()
    for notice in Notice.objects.exclude(run=None).select_related("run").order_by("-pk"):
        occasion = OF_STATUS.get(notice.run.status)
        if occasion is None or (notice.channel_id, notice.run_id) in seen:
            notice.delete()
            continue
        seen.add((notice.channel_id, notice.run_id))
        notice.occasion = occasion
        notice.save(update_fields=["occasion"])


class Migration(migrations.Migration):
    dependencies = [("jobs", "0015_life_of_runs")]

    operations = [
        migrations.RemoveConstraint(model_name="webhook", name="webhook_once"),
        migrations.RenameModel("Webhook", "NotificationChannel"),
        migrations.RenameModel("Delivery", "Notice"),
        migrations.RenameField("NotificationChannel", "url", "target"),
        migrations.RenameField("Notice", "webhook", "channel"),
        migrations.AddField(
            model_name="notice",
            name="occasion",
            field=models.CharField(
                blank=True,
                choices=[
                    ("finished", "A run finished"),
                    ("failed", "A run failed"),
                    ("diverged", "A run diverged"),
                    ("stopped", "A run was stopped"),
                    ("needs_person", "A run needs a person: somebody else paused it"),
                    ("waits", "A run waits long in the queue"),
                ],
                max_length=12,
                default="",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="notificationchannel",
            name="is_confirmed",
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name="notificationchannel",
            name="kind",
            field=models.CharField(
                choices=[
                    ("browser", "Browser"),
                    ("email", "E-mail"),
                    ("webhook", "Webhook"),
                    ("apprise", "Chat service"),
                ],
                default="webhook",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="notificationchannel",
            name="occasions",
            field=models.JSONField(default=jobs.models.notification.ends),
        ),
        migrations.AddField(
            model_name="notificationchannel",
            name="site_url",
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name="notificationchannel",
            name="wait_hours",
            field=models.PositiveSmallIntegerField(default=4),
        ),
        migrations.AlterField(
            model_name="notice",
            name="channel",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="notices",
                to="jobs.notificationchannel",
            ),
        ),
        migrations.AlterField(
            model_name="notificationchannel",
            name="target",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.RunPython(say_occasions, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(
                condition=models.Q(("occasion", ""), _negated=True),
                fields=("channel", "run", "occasion"),
                name="one_notice_an_occasion",
            ),
        ),
        migrations.AddConstraint(
            model_name="notificationchannel",
            constraint=models.UniqueConstraint(
                fields=("owner", "kind", "target"), name="channel_once"
            ),
        ),
    ]
