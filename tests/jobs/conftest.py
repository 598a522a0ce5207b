"""What tests of answers share: a real Redis, a tiny model as a row, a worker in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.inference import InferenceWorker
from jobs.models import LanguageModel
from jobs.warm_models import WarmModels
from tests.redis_server import RedisServer, running_redis
from tests.tiny import make_llama


@pytest.fixture(scope="session")
def redis_process() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def redis_server(redis_process: RedisServer, settings: Any) -> RedisServer:
    """Empty, and the one that the site uses."""
    settings.REDIS_URL = redis_process.url
    redis_process.flush()
    return redis_process


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture
def base(db: None, llama_folder: Path) -> LanguageModel:
    """A common base model."""
    return LanguageModel.objects.create(name=str(llama_folder), kind="base", size_bytes=10**6)


@pytest.fixture(scope="session")
def warm_models() -> WarmModels:
    models = WarmModels("cpu")
    models.prepare()
    return models


@pytest.fixture
def worker(redis_server: RedisServer, warm_models: WarmModels) -> InferenceWorker:
    """Does one step when told to; its heart is made to beat once."""
    import time

    from jobs import generation

    made = InferenceWorker("here", warm_models)
    made.client.zadd(generation.WORKERS, {"here": time.time()})
    return made
