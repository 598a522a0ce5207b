"""A base model by name that no run has opened is its first user's alone, not everybody's."""

from django.db import migrations
from django.db.models import Q


def give_back(apps, schema_editor):
    model = apps.get_model("jobs", "LanguageModel")
    run = apps.get_model("jobs", "Run")
    for base in model.objects.filter(owner=None, kind="base").exclude(name__startswith="starter/"):
        runs = run.objects.filter(base_model=base).order_by("pk")
        first = runs.first()
        if first is None or runs.filter(Q(step__gt=0) | Q(status="succeeded")).exists():
            continue
        if not model.objects.filter(owner=first.owner_id, name=base.name).exists():
            model.objects.filter(pk=base.pk).update(owner=first.owner_id)


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0006_wider_events'),
    ]

    operations = [migrations.RunPython(give_back, migrations.RunPython.noop)]
