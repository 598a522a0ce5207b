from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "0003_ended_runs_stay_ended")]
    operations = [migrations.RenameField("run", "beat", "heartbeat")]
