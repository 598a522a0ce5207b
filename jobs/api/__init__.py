"""The REST API: runs, models and datasets under one address."""

from datasets_app.api.datasets import router as datasets
from datasets_app.api.files import router as files
from datasets_app.api.hub import router as hub
from datasets_app.api.uploads import router as uploads
from jobs.api.account import router as account
from jobs.api.deployments import router as deployments
from jobs.api.engine_jobs import evaluations, exports
from jobs.api.queue import router as queue_router
from jobs.api.registry import router as models
from jobs.api.run_life import router as run_life
from jobs.api.run_log import router as run_log
from jobs.api.runs import router as runs
from maxft_site.web.api import make_api

api = make_api("MaxFT", "api")
api.add_router("", account)
api.add_router("/datasets", datasets)
api.add_router("/datasets", hub)
api.add_router("/datasets", files)
api.add_router("/datasets/uploads", uploads)
api.add_router("/runs", runs)
api.add_router("/runs", run_log)
api.add_router("/runs", run_life)
api.add_router("", queue_router)
api.add_router("/models", models)
api.add_router("/evaluations", evaluations)
api.add_router("", exports)
api.add_router("/deployments", deployments)
