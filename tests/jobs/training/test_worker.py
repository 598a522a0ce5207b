"""Only the site's tasks run in a worker; a trainer gets no secret of the site."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis
from rq.serializers import JSONSerializer

from jobs.training.engine_process import trainer_environment
from jobs.training.worker import AllowedJob, ForbiddenJobError


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
        "jobs.tasks.attempts",
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
