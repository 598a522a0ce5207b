"""The app of data sets."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "datasets_app"
    verbose_name = "Data sets"

    def ready(self) -> None:
        from datasets_app.selectors import shell_part
        from maxft_site.web import context

        context.register(shell_part)
