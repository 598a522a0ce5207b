from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0005_status_words")]
    operations = [
        migrations.AlterField("event", "kind", models.CharField(max_length=40)),
        migrations.AlterField("event", "key", models.CharField(max_length=100)),
    ]
