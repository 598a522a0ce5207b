"""Addresses of data sets."""

from django.urls import URLPattern, path

from datasets_app.views import dataset, dataset_new, files, listing, mapping, uploads

app_name = "datasets"
urlpatterns: list[URLPattern] = [
    path("", listing.datasets, name="datasets"),
    path("new/", dataset_new.dataset_new, name="dataset-new"),
    path("uploads/", uploads.uploads, name="uploads"),
    path("uploads/<uuid:pk>/", uploads.upload, name="upload"),
    path("uploads/<uuid:pk>/import/", uploads.upload_import, name="upload-import"),
    path("uploads/<uuid:pk>/discard/", dataset_new.upload_discard, name="upload-discard"),
    path("<int:pk>/", dataset.dataset, name="dataset"),
    path("<int:pk>/status/", dataset.dataset_status, name="dataset-status"),
    path("<int:pk>/findings/", dataset.dataset_findings, name="dataset-findings"),
    path("<int:pk>/findings.csv", files.findings_csv, name="findings-csv"),
    path("<int:pk>/about/", dataset.dataset_about, name="dataset-about"),
    path("<int:pk>/runs/", dataset.dataset_runs, name="dataset-runs"),
    path("<int:pk>/mapping/", mapping.mapping, name="mapping"),
    path("<int:pk>/check/", dataset.dataset_check, name="dataset-check"),
    path("<int:pk>/download/", files.dataset_download, name="dataset-download"),
    path("<int:pk>/delete/", dataset.dataset_delete, name="dataset-delete"),
    path("<int:pk>/restore/", dataset.dataset_restore, name="dataset-restore"),
]
