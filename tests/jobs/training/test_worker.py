"""Only the site's tasks run in a worker; a trainer gets no secret of the site."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import django_rq
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from redis import Redis
from rq.serializers import JSONSerializer

from jobs.training import worker
from jobs.training.engine_process import EngineProcess, Reports, trainer_environment
from jobs.training.fork_server import FORK_SERVER
from jobs.training.runner import Runner
from jobs.training.worker import AllowedJob, ForbiddenJobError
from jobs.training.workers import worker_environment
from maxaillm.dev.finetune.processes.child import start_child
from tests.jobs.runs import claimed, fresh, make_run
from tests.redis_server import running_redis


def job(name: str, **options: Any) -> AllowedJob:
    unused = Redis(unix_socket_path="/nonexistent")
    made: AllowedJob = AllowedJob.create(
        name, args=(1, 0), connection=unused, serializer=JSONSerializer, **options
    )
    return made


def test_a_task_is_found() -> None:
    from jobs.tasks import train

    assert job("jobs.tasks.train").func is train


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "subprocess.run",
        "jobs.tasks.os.system",
        "jobs.tasks.Runner",
        "jobs.tasks.claims",
        "jobs.tasks._train",
        "jobs.services.deletion.delete_run",
        "builtins.eval",
    ],
)
def test_nothing_else_is(name: str) -> None:
    with pytest.raises(ForbiddenJobError):
        _ = job(name).func


def test_callbacks_are_refused() -> None:
    made = job("jobs.tasks.train")
    made._success_callback_name = "os.system"
    with pytest.raises(ForbiddenJobError):
        _ = made.func


def test_the_environment_of_a_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("MAXFT_SECRET_KEY", "DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "AWS_SECRET")
    for name in (*secrets, "HF_TOKEN", "https_proxy", "HF_HOME", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "value")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    offline, online = trainer_environment(online=False), trainer_environment(online=True)
    assert not set(secrets) & (set(offline) | set(online))
    assert {"HF_TOKEN", "https_proxy"} & set(offline) == set()
    assert {"HF_TOKEN", "https_proxy"} <= set(online)
    assert {"PATH", "HF_HOME", "CUDA_VISIBLE_DEVICES"} <= set(offline)
    assert trainer_environment(online=True, secrets=["OPENAI_API_KEY"])["OPENAI_API_KEY"] == "value"
    assert "OPENAI_API_KEY" not in trainer_environment(online=False, secrets=["OPENAI_API_KEY"])
    assert offline["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in online


def test_only_the_variables_of_its_own_trackers_reach_a_trainer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("MLFLOW_TRACKING_TOKEN", "WANDB_API_KEY", "WANDB_LOG_MODEL", "HF_TOKEN"):
        monkeypatch.setenv(name, "value")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    address = "https://site.example/runs/3/"
    tracked = trainer_environment(online=False, reports=Reports(["wandb"], address))
    assert tracked["WANDB_API_KEY"] == "value"
    assert tracked["HTTPS_PROXY"] == "http://proxy:1"
    assert tracked["MAXAILLM_RUN_ADDRESS"] == address
    assert tracked["HF_HUB_OFFLINE"] == "1"
    assert not {"MLFLOW_TRACKING_TOKEN", "WANDB_LOG_MODEL", "HF_TOKEN"} & tracked.keys()
    untracked = trainer_environment(online=True, reports=Reports((), address))
    assert not {"WANDB_API_KEY", "MAXAILLM_RUN_ADDRESS"} & untracked.keys()


def test_a_worker_that_is_started_by_hand_sets_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, str]] = []

    class Idle:
        def work(self, **options: Any) -> None:
            started.append(dict(os.environ))

    monkeypatch.setattr("jobs.management.commands.worker.make_worker", lambda queue: Idle())
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    call_command("worker", "training")
    assert started[0].items() >= worker_environment(1).items()
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    call_command("worker", "training")
    assert started[1]["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(("code", "status"), [(2, "failed"), (1, "queued")])
def test_a_trainer_that_gives_up_by_its_exit_code_is_not_asked_again(
    code: int, status: str, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = f"import sys; print('there is no such key'); sys.exit({code})"

    def start(self: EngineProcess) -> subprocess.Popen[bytes]:
        with self.folder.log.open("ab") as output:
            return start_child([sys.executable, "-c", says], stdout=output, stderr=output)

    monkeypatch.setattr(EngineProcess, "start", start)
    monkeypatch.delenv("MAXFT_FORK_SERVER", raising=False)
    run = claimed(make_run(alice, status="queued"))
    Runner(run, "here").carry_out()
    run = fresh(run)
    assert run.status == status
    if status == "failed":
        assert "there is no such key" in run.error["message"]


def test_a_worker_of_a_site_that_has_a_fork_server_keeps_none(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FORK_SERVER, "/there/is/one.sock")
    monkeypatch.setattr(worker, "start_child", lambda *_, **__: pytest.fail("it starts another"))
    with running_redis() as server:
        monkeypatch.setitem(settings.RQ_QUEUES["training"], "URL", server.url)
        made = worker.TrainingWorker(django_rq.get_queue("training"))
        made.keep_fork_server()
    assert made.lasting == set()
