"""The app of runs and models."""

from django.apps import AppConfig

from maxft_site.web import context, search


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Runs and models"

    def ready(self) -> None:
        from jobs import shell

        context.register(shell.shell_part)
        search.register("Runs", shell.find_runs)
        search.register("Models", shell.find_models)
