"""A configuration that comes over the network names no file of the server and asks for no more
than the machine has."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import LanguageModel, Run
from maxaillm.dev.finetune.config import RunConfig, hosted
from maxaillm.dev.finetune.estimate.machine import usable_devices
from tests.security.conftest import by_key, config_of, post

ADDRESSES = ("/api/v1/runs", "/api/v1/runs/estimate")


@pytest.fixture
def script(alice: User, starter: LanguageModel) -> Client:
    return by_key(alice)


def refused_at(script: Client, body: dict[str, Any]) -> set[str]:
    """The paths that both calls complain of, in the same words; nothing was queued."""
    answers = [post(script, address, body) for address in ADDRESSES]
    assert [answer.status_code for answer in answers] == [422, 422], answers[0].content
    first, second = (answer.json()["errors"] for answer in answers)
    assert first == second
    assert not Run.objects.exists()
    return {error["path"] for error in first}


@pytest.mark.parametrize("name", ["train_file", "validation_file", "test_file"])
@pytest.mark.parametrize("path", ["/etc/passwd", "rows.jsonl", ""])
def test_data_files_are_refused(script: Client, alice: User, name: str, path: str) -> None:
    assert refused_at(script, config_of(alice, data={name: path})) == {f"data.{name}"}


def test_no_file_is_read_for_deepspeed(
    script: Client, alice: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"hunter2": 1}')
    opened: list[str] = []
    monkeypatch.setattr(Path, "read_text", lambda path, **_: opened.append(str(path)) or "{}")
    for path in (str(secret), "/dev/zero", "/no/such/file"):
        body = config_of(alice, training={"deepspeed": path})
        answer = post(script, ADDRESSES[0], body)
        assert answer.status_code == 422
        assert "hunter2" not in answer.text
    assert not {str(secret), "/dev/zero", "/no/such/file"} & set(opened)


@pytest.mark.parametrize(
    "given",
    [
        {"tensorboard": {"enabled": True, "output_path": "/tmp/x"}},
        {"csv_monitor": {"enabled": True, "output_path": "/tmp/x"}},
        {"wandb": {"enabled": True, "team": "x"}},
        {"flops_profiler": {"enabled": True, "output_file": "/tmp/x"}},
        {"autotuning": {"enabled": True, "results_dir": "/tmp/x"}},
        {"checkpoint": {"use_node_local_storage": True}},
        {"aio": {"block_size": 1}},
        {"monitor_config": {}},
        {"data_efficiency": {"data_sampling": {"curriculum_learning": {"data_cluster_path": "/"}}}},
        {"zero_optimization": {"offload_param": {"device": "nvme", "nvme_path": "/tmp"}}},
        {"optimizer": {"type": "os.system"}},
        {"optimizer": {"type": "AdamW", "params": {"lr": "/etc/passwd"}}},
        {"scheduler": {"type": "__import__"}},
        {"fp16": {"enabled": {"deep": {"file": "/x"}}}},
        {"something_new": "/etc/passwd"},
    ],
)
def test_deepspeed_is_told_what_to_compute_and_no_more(
    script: Client, alice: User, given: dict[str, Any]
) -> None:
    (path,) = refused_at(script, config_of(alice, training={"deepspeed": given}))
    assert path.startswith(f"training.deepspeed.{next(iter(given))}")


def test_an_ordinary_configuration_of_deepspeed_passes() -> None:
    settings = {
        "zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}},
        "optimizer": {"type": "AdamW", "params": {"lr": "auto", "betas": [0.9, 0.99]}},
        "scheduler": {"type": "WarmupDecayLR", "params": {"warmup_num_steps": 10}},
        "bf16": {"enabled": "auto"},
        "gradient_clipping": "auto",
        "train_batch_size": "auto",
    }
    config = RunConfig.parse({"model": {"name": "x"}, "training": {"deepspeed": settings}})
    assert list(hosted.refusals(config)) == []


FREE_TEXTS = {
    "name": "a name, cleaned",
    "model.name": "resolved by the site: a list, folders on offer, Hub names",
    "evaluation.sample_prompts": "a question to the model",
    "training.loss.weights": "a number for each class, by its name",
}
"""Options that take any text, and why that does no harm. A new one has to be thought about: it is
added here, or it names a file, and its field is marked by `local`."""


def free_texts(schema: dict[str, Any], defs: dict[str, Any], at: str = "") -> Iterator[str]:
    """The paths of what takes any text, or any object, in a JSON schema."""
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    if is_free(schema):
        yield at
    for name, inner in schema.get("properties", {}).items():
        if not inner.get("local"):
            yield from free_texts(inner, defs, f"{at}.{name}".lstrip("."))
    kinds = ("anyOf", "oneOf", "allOf")
    inside = [inner for kind in kinds for inner in schema.get(kind, [])]
    for inner in inside + [inner for name, inner in schema.items() if name == "items"]:
        yield from free_texts(inner, defs, at)


def is_free(schema: dict[str, Any]) -> bool:
    is_closed = {"enum", "const", "pattern", "properties"} & schema.keys()
    return schema.get("type") in {"string", "object"} and not is_closed


def test_every_option_that_takes_any_text_is_known() -> None:
    schema = RunConfig.model_json_schema()
    assert set(free_texts(schema, schema["$defs"])) <= FREE_TEXTS.keys()


def test_no_more_devices_than_there_are(script: Client, alice: User, settings: Any) -> None:
    settings.MAX_DEVICES = 0
    body = config_of(alice, training={"devices": usable_devices() + 1})
    assert refused_at(script, body) == {"training.devices"}
    settings.MAX_DEVICES = 3
    assert refused_at(script, config_of(alice, training={"devices": 64})) == {"training.devices"}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    body = config_of(alice, data={"dataloader_num_workers": (cores or 1) + 1})
    assert refused_at(script, body) == {"data.dataloader_num_workers"}


def test_the_form_refuses_the_same(
    alice: User, alice_client: Client, starter: LanguageModel
) -> None:
    body = config_of(alice, training={"deepspeed": "/etc/passwd"})
    answer = alice_client.post("/runs/new/", {"yaml": json.dumps(body)})
    assert answer.status_code == 422
    assert "Files are for the command line" in answer.content.decode()
