"""Addresses of datasets."""

from django.urls import URLPattern, path

from datasets_app.views import (
    changes,
    dataset,
    dataset_new,
    files,
    hub,
    joining,
    listing,
    mapping,
    rows,
    splits,
    statistics,
    uploads,
    versions,
)

app_name = "datasets"
urlpatterns: list[URLPattern] = [
    path("", listing.datasets, name="datasets"),
    path("new/", dataset_new.dataset_new, name="dataset-new"),
    path("join/", joining.dataset_join, name="dataset-join"),
    path("deleted/", listing.deleted_datasets, name="deleted-datasets"),
    path("uploads/", uploads.uploads, name="uploads"),
    path("uploads/<uuid:pk>/", uploads.upload, name="upload"),
    path("uploads/<uuid:pk>/import/", uploads.upload_import, name="upload-import"),
    path("uploads/<uuid:pk>/discard/", dataset_new.upload_discard, name="upload-discard"),
    path("<int:pk>/", rows.dataset, name="dataset"),
    path("<int:pk>/status/", dataset.dataset_status, name="dataset-status"),
    path("<int:pk>/findings/", dataset.dataset_findings, name="dataset-findings"),
    path("<int:pk>/findings.csv", files.findings_csv, name="findings-csv"),
    path("<int:pk>/change/", changes.changes, name="changes"),
    path("<int:pk>/change/<slug:name>/", changes.change, name="change"),
    path("<int:pk>/rows/edit/", rows.row_edit, name="row-edit"),
    path("<int:pk>/rows/whole/", rows.row_whole, name="row-whole"),
    path("<int:pk>/croissant.json", files.croissant, name="croissant"),
    path("<int:pk>/rows.jsonl", files.rows_jsonl, name="rows-jsonl"),
    path("<int:pk>/statistics/", statistics.statistics, name="statistics"),
    path("<int:pk>/splits/", splits.splits, name="splits"),
    path("<int:pk>/splits/lock/", splits.test_lock, name="test-lock"),
    path("<int:pk>/versions/", versions.versions, name="versions"),
    path("<int:pk>/versions/back/", versions.version_back, name="version-back"),
    path("<int:pk>/runs/", dataset.dataset_runs, name="dataset-runs"),
    path("<int:pk>/mapping/", mapping.mapping, name="mapping"),
    path("<int:pk>/hub/", hub.hub_choice, name="hub-choice"),
    path("<int:pk>/check/", dataset.dataset_check, name="dataset-check"),
    path("<int:pk>/download/", files.dataset_download, name="dataset-download"),
    path("<int:pk>/delete/", dataset.dataset_delete, name="dataset-delete"),
    path("<int:pk>/restore/", dataset.dataset_restore, name="dataset-restore"),
    path("<int:pk>/purge/", listing.dataset_purge, name="dataset-purge"),
]
