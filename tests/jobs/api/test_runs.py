"""The REST API of runs: exactly the names that scripts rely on."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Run
from maxft_site.web.models import ApiToken
from tests.jobs.pages import add_logs, trained
from tests.jobs.runs import make_dataset, make_run, running

API = "/api/v1"
RUN_FIELDS = {
    "id", "name", "status", "phase", "step", "total_steps", "progress", "eta_seconds", "attempt",
    "metrics", "config", "error", "created", "started", "ended",
}  # fmt: skip
ESTIMATE_FIELDS = {
    "trainable_parameters", "total_parameters", "steps", "tokens", "memory_bytes",
    "available_bytes", "fits", "seconds", "disk_bytes", "findings", "training_rows",
    "validation_rows", "cut_rows", "epochs", "learning_rate", "cut_tokens",
}  # fmt: skip


class Script:
    """A caller with a key and no cookies."""

    def __init__(self, user: User) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {ApiToken.issue(user, 'test')}"})

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(API + path, query)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.post(
            API + path, body or {}, content_type="application/json", headers=headers
        )


@pytest.fixture
def script(alice: User) -> Script:
    return Script(alice)


@pytest.fixture
def outsider(bob: User) -> Script:
    return Script(bob)


@pytest.fixture
def config(alice: User) -> dict[str, Any]:
    version = make_dataset(alice, rows=1)
    return {"model": {"name": "starter/chat"}, "data": {"dataset": version.dataset_id}}


def test_a_run_is_created(script: Script, alice: User, config: dict[str, Any]) -> None:
    answer = script.post("/runs", config | {"tuning": {"r": 4}})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made.keys() >= RUN_FIELDS
    assert made["status"] == "queued"
    assert made["config"]["tuning"] == {
        "name": "lora", "r": 4, "lora_alpha": 32, "lora_dropout": 0.1, "target_modules": None,
    }  # fmt: skip
    assert Run.objects.get(pk=made["id"]).owner == alice


def test_all_mistakes_come_at_once(script: Script, config: dict[str, Any]) -> None:
    training = {"learning_rate": -1, "lerning_rate": 1, "seed": "x"}
    answer = script.post("/runs", config | {"training": training})
    assert answer.status_code == 422
    errors = {error["path"]: error for error in answer.json()["errors"]}
    assert errors.keys() == {f"training.{name}" for name in training}
    assert errors["training.learning_rate"]["value"] == -1
    assert "above 0" in errors["training.learning_rate"]["allowed"]
    assert "learning_rate" in errors["training.lerning_rate"]["message"]


def test_a_data_set_of_others_is_not_there(outsider: Script, config: dict[str, Any]) -> None:
    answer = outsider.post("/runs", config)
    assert answer.status_code == 422
    assert [error["path"] for error in answer.json()["errors"]] == ["data.dataset"]


def test_the_same_key_makes_one_run(script: Script, config: dict[str, Any]) -> None:
    first = script.post("/runs", config, **{"Idempotency-Key": "k"})
    again = script.post("/runs", config, **{"Idempotency-Key": "k"})
    assert first.json()["id"] == again.json()["id"]
    assert Run.objects.count() == 1


def test_a_run_is_estimated(script: Script, config: dict[str, Any]) -> None:
    answer = script.post("/runs/estimate", config)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told.keys() == ESTIMATE_FIELDS
    assert told["memory_bytes"].keys() >= {
        "weights", "optimizer", "gradients", "activations", "total",
    }  # fmt: skip
    assert told["steps"] >= 1
    assert not Run.objects.exists()
    assert script.post("/runs/estimate", {"data": {}}).status_code == 422


def test_lists_have_items_and_total(script: Script, outsider: Script, alice: User) -> None:
    for status in ("queued", "failed", "failed"):
        make_run(alice, status=status)
    page = script.get("/runs", limit=2).json()
    assert (len(page["items"]), page["total"]) == (2, 3)
    assert script.get("/runs", status="failed").json()["total"] == 2
    assert outsider.get("/runs").json() == {"items": [], "total": 0}


def test_a_run_tells_its_progress(script: Script, alice: User) -> None:
    run = trained(alice)
    told = script.get(f"/runs/{run.pk}").json()
    assert (told["step"], told["total_steps"], told["progress"]) == (6, 6, 1.0)
    assert told["metrics"]["eval_loss"] == 1.5
    assert told["error"] is None


def test_events_come_in_order_after_a_number(script: Script, alice: User) -> None:
    run = trained(alice)
    first = script.get(f"/runs/{run.pk}/events", limit=4).json()
    assert [item["seq"] for item in first["items"]] == [1, 2, 3, 4]
    assert first["last"] == run.last_seq
    rest = script.get(f"/runs/{run.pk}/events", after=4).json()["items"]
    assert [item["seq"] for item in rest] == list(range(5, run.last_seq + 1))
    assert rest[0].keys() == {"seq", "kind", "step", "time", "data"}


def test_a_curve_is_thinned(script: Script, alice: User) -> None:
    run = make_run(alice)
    add_logs(run, [1.0, None, *[0.5] * 500])
    curve = script.get(f"/runs/{run.pk}/series", metric="loss", max_points=50).json()
    assert curve["metric"] == "loss"
    assert len(curve["step"]) == len(curve["value"]) <= 50
    assert curve["value"][0] == 1.0
    assert None in curve["value"]
    assert script.get(f"/runs/{run.pk}/series", metric="__class__").status_code == 404


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("cancel", {"save": True}, "cancelling"),
        ("cancel", None, "cancelling"),
        ("pause", None, "pausing"),
    ],
)
def test_a_run_at_work_is_asked(
    script: Script, alice: User, verb: str, body: Any, status: str
) -> None:
    run = running(alice)
    answer = script.post(f"/runs/{run.pk}/{verb}", body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == status


def test_a_paused_run_is_resumed(script: Script, alice: User) -> None:
    run = make_run(alice, status="paused")
    assert script.post(f"/runs/{run.pk}/resume").json()["status"] == "queued"


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_what_makes_no_sense_is_409_with_the_reason(script: Script, alice: User, verb: str) -> None:
    run = make_run(alice, status="succeeded")
    answer = script.post(f"/runs/{run.pk}/{verb}")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "illegal_move"
    assert answer.json()["error"]["message"]


def test_not_found_and_not_yours_are_the_same(
    script: Script, outsider: Script, alice: User
) -> None:
    run = running(alice)
    missing = script.get("/runs/999999")
    assert missing.status_code == 404
    for path in ("", "/events", "/series"):
        assert outsider.get(f"/runs/{run.pk}{path}").json() == missing.json()
    for verb in ("cancel", "pause", "resume", "retry"):
        answer = outsider.post(f"/runs/{run.pk}/{verb}")
        assert (answer.status_code, answer.json()) == (404, missing.json())
    answer = outsider.post(f"/runs/{run.pk}/extend", {"num_train_epochs": 9})
    assert answer.json() == missing.json()
    assert outsider.client.delete(f"{API}/runs/{run.pk}").json() == missing.json()


def test_a_key_is_needed(client: Client, db: None) -> None:
    assert client.get(f"{API}/runs").status_code == 401


def test_the_description_knows_every_call(script: Script) -> None:
    paths = script.get("/openapi.json").json()["paths"]
    for path in ("/runs", "/runs/estimate", "/runs/{run_id}/events", "/models", "/datasets"):
        assert f"{API}{path}" in paths
    assert script.client.get(f"{API}/docs").status_code == 200
