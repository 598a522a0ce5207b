from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("datasets_app", "0004_origin")]

    operations = [
        migrations.AddField(
            model_name="datasetversion",
            name="reading",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="finding",
            name="other",
            field=models.PositiveBigIntegerField(null=True),
        ),
    ]
