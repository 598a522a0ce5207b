"""The app of runs and models."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from maxft_site.web import context, search


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Runs and models"

    def ready(self) -> None:
        from jobs import page_frame
        from jobs.management.ended_runs import ensure_trigger

        post_migrate.connect(ensure_trigger, sender=self)
        context.register(page_frame.shell_part)
        search.register("Runs", page_frame.find_runs)
        search.register("Models", page_frame.find_models)
        search.register("Deployments", page_frame.find_deployments)
