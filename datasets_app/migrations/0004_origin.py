"""Versions say where on the Hub their file is from."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("datasets_app", "0003_files_by_content")]

    operations = [
        migrations.AddField("datasetversion", "origin", models.JSONField(null=True)),
    ]
