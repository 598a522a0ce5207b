from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0008_judgement")]

    operations = [
        migrations.AddField("run", "verdict", models.JSONField(null=True)),
        migrations.AddField("run", "purged", models.DateTimeField(null=True)),
    ]
