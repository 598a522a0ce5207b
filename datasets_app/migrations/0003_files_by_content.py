"""Uploaded files move to where files lie by their content, and are checked again.

What was read from them lay there as JSON lines; the new check stores it as Parquet.
"""

import shutil
from pathlib import Path

from django.conf import settings
from django.db import migrations, models


def move_files(apps, schema_editor):
    DatasetVersion = apps.get_model("datasets_app", "DatasetVersion")
    blobs = Path(settings.DATASETS_DIR) / "blobs"
    for version in DatasetVersion.objects.exclude(sha256=""):
        root = Path(settings.DATASETS_DIR) / str(version.folder)
        source, place = root / "source", blobs / version.sha256[:2] / version.sha256
        if source.exists():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            source.replace(place)
        for folder in root.glob("check-*"):
            shutil.rmtree(folder, ignore_errors=True)
    DatasetVersion.objects.filter(status="ready").update(
        status="checking", check_number=models.F("check_number") + 1, progress=0
    )


class Migration(migrations.Migration):
    dependencies = [("datasets_app", "0002_versions_of_versions")]

    operations = [migrations.RunPython(move_files, migrations.RunPython.noop)]
