from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_wider_events")]

    operations = [
        migrations.AddField("run", "verdict", models.JSONField(null=True)),
        migrations.AddField("run", "purged", models.DateTimeField(null=True)),
    ]
