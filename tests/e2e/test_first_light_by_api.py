"""From a file to an answer of the tuned model, over the API alone."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """A small dataset in a file, one row of it bad."""
    file = tmp_path_factory.mktemp("data") / "colours.jsonl"
    rows = [
        {"prompt": f"What colour is thing {n}?", "completion": f"Thing {n} is blue."}
        for n in range(60)
    ]
    lines = [json.dumps(row) for row in rows]
    file.write_text("\n".join([*lines[:30], "{oops", *lines[30:]]))
    return file


def test_from_file_to_answer(client, colours):
    dataset = client.upload(colours, "Colours")
    assert (dataset["status"], dataset["rows"], dataset["bad_rows"]) == ("ready", 60, 1)
    findings = client.get(f"/datasets/{dataset['id']}/findings")
    assert findings["items"][0]["line"] == 31

    run = client.start(
        {
            "model": {"name": "starter/chat"},
            "data": {"dataset": dataset["id"], "max_length": 64},
            "training": {"max_steps": 12, "eval_steps": 6, "save_steps": 6, "num_train_epochs": 50},
            "tuning": {"name": "lora", "r": 4},
        }
    )
    ended = client.run_until(run["id"], "succeeded")
    assert (ended["step"], ended["total_steps"], ended["progress"]) == (12, 12, 1)
    assert [event["step"] for event in client.events(run["id"], "log")] == list(range(1, 13))
    assert "perplexity" in ended["metrics"]

    models = client.get("/models")["items"]
    tuned = next(model for model in models if model.get("run") == run["id"])
    answer = client.http.post(
        client.http.base_url.copy_with(path="/v1/chat/completions"),
        json={
            "model": tuned["name"],
            "messages": [{"role": "user", "content": "What colour is thing 3?"}],
            "max_tokens": 8,
        },
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["completion_tokens"] > 0


def test_every_mistake_at_once(client):
    config = {
        "model": {"name": "starter/chat"},
        "data": {"dataset": 999_999},
        "training": {"learning_rte": 1, "num_train_epochs": -1},
        "tuning": {"name": "lora", "r": 0},
    }
    answer = client.post("/runs", config)
    assert answer.status_code == 422
    errors = {error["path"]: error for error in answer.json()["errors"]}
    assert {"training.learning_rte", "training.num_train_epochs", "tuning.r"} <= set(errors)
    assert "learning_rate" in errors["training.learning_rte"]["message"]
    assert errors["tuning.r"]["value"] == 0
    assert "at least 1" in errors["tuning.r"]["allowed"]


def test_cancel_a_run(client, colours):
    dataset = client.upload(colours, "Colours, long")
    run = client.start(
        {
            "model": {"name": "starter/chat"},
            "data": {"dataset": dataset["id"], "max_length": 64},
            "training": {"max_steps": 100_000, "num_train_epochs": 1000},
        }
    )
    client.run_until(run["id"], "running")
    assert client.post(f"/runs/{run['id']}/cancel", {"save": False}).status_code == 202
    assert client.run_until(run["id"], "cancelled")["status"] == "cancelled"
    assert client.post(f"/runs/{run['id']}/pause").status_code == 409
