"""What tests of answers share: a real Redis, a tiny model as a row, a worker in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.inference.model_cache import ModelCache
from jobs.inference.worker import InferenceWorker
from jobs.models import LanguageModel, Run
from tests.redis_server import RedisServer, running_redis
from tests.tiny import make_llama, save_tokenizer


@pytest.fixture(autouse=True)
def each_test_has_its_site(own_site: None) -> None: ...


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


@pytest.fixture
def adapter(alice: User, base: LanguageModel) -> LanguageModel:
    """What a run made of `base`: an adapter that changes much."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    run = Run.objects.create(owner=alice, name="tuned", config={}, base_model=base)
    torch.manual_seed(1)
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=64, init_lora_weights=False)
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base.name), config)
    folder = run.attempt_folder(1).model
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return LanguageModel.objects.create(
        owner=alice, name="tuned #1", kind="adapter", base=base, run=run, attempt=1
    )


@pytest.fixture(scope="session")
def model_cache() -> ModelCache:
    models = ModelCache("cpu")
    models.prepare()
    return models


@pytest.fixture
def worker(redis_server: RedisServer, model_cache: ModelCache) -> InferenceWorker:
    """Does one step when told to; its heartbeat is sent once."""
    import time

    from jobs.inference_queue import requests

    made = InferenceWorker("here", model_cache)
    made.client.zadd(requests.WORKERS, {"here": time.time()})
    return made
