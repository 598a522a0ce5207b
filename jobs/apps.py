"""The app of runs and models."""

from django.apps import AppConfig

from maxft_site.web import context, search


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Runs and models"

    def ready(self) -> None:
        from jobs import page_frame

        context.register(page_frame.shell_part)
        search.register("Runs", page_frame.find_runs)
        search.register("Models", page_frame.find_models)
