"""Uploaded files, rows and findings move to where files lie by their content.

An older release kept them in a folder a version, the rows as JSON lines. That folder stays as it
is until the migration is on record: one that is interrupted begins anew.
"""

import shutil
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import migrations, transaction

from datasets_app.storage.blobs import blob_path, keep_blob
from datasets_app.storage.older_rows import convert_findings, convert_rows

FINDING_FIELDS = ("level", "row", "line", "code", "message", "snippet", "fix")


def move_files(apps, schema_editor):
    DatasetVersion = apps.get_model("datasets_app", "DatasetVersion")
    moved = []
    for version in DatasetVersion.objects.exclude(sha256=""):
        root = Path(settings.DATASETS_DIR) / str(version.folder)
        if (root / "source").exists():
            keep_source(root / "source", version.sha256)
            moved.append(root)
        if version.status != "checking":
            keep_check(version, root)
    transaction.on_commit(partial(remove_old, moved), using=schema_editor.connection.alias)


def keep_source(source, digest):
    place = blob_path(digest)
    if not place.exists():
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.hardlink_to(source)


def keep_check(version, root):
    """Its rows and findings as they were; a version whose rows are lost is checked again."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    stage = root / "moving"
    stage.unlink(missing_ok=True)
    if version.status == "ready":
        if convert_rows(root / f"check-{version.check_number}", stage):
            version.rows_sha256 = keep_blob(stage)
        else:
            version.status, version.progress = "checking", 0
            version.check_number += 1
    findings = version.findings.order_by("row", "line", "pk").values(*FINDING_FIELDS)
    stage.unlink(missing_ok=True)
    convert_findings(findings.iterator(), stage)
    version.findings_sha256 = keep_blob(stage)
    version.save()


def remove_old(roots):
    for root in roots:
        (root / "source").unlink()
        for folder in root.glob("check-*"):
            shutil.rmtree(folder, ignore_errors=True)


class Migration(migrations.Migration):
    dependencies = [("datasets_app", "0002_versions_of_versions")]

    operations = [migrations.RunPython(move_files, migrations.RunPython.noop)]
