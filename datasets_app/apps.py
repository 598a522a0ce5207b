"""The app of datasets."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "datasets_app"
    verbose_name = "Datasets"

    def ready(self) -> None:
        from datasets_app.selectors import find_datasets, shell_part
        from maxft_site.web import context, search

        context.register(shell_part)
        search.register("Datasets", find_datasets)
