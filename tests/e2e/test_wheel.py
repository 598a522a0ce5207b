"""The wheel alone, away from the checkout: the command, a page with its styles, a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.faults
STEPS = {"max_steps": 5, "save_steps": 5, "eval_steps": 5}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def test_help_names_every_command_and_leaves_no_trace(installed, home):
    listed = re.findall(r"^    (\w+)\b", installed.run("maxft", "--help", cwd=home), re.MULTILINE)
    assert {"up", "serve", "worker", "create_token"} <= set(listed)
    assert {"train", "validate", "estimate", "generate", "export"} <= set(listed)
    assert list(home.iterdir()) == []


def test_data_lies_in_the_folder_of_the_platform(installed, home):
    assert "/setup/?token=" in installed.run("maxft", "prepare", cwd=home)
    assert [path.parent.name for path in home.rglob("db.sqlite3")] == ["maxft"]
    assert list(installed.bin.parent.rglob("*.sqlite3")) == []


def test_train_five_steps(installed, home):
    rows = [{"prompt": f"What is thing {n}?", "completion": "It is blue."} for n in range(20)]
    (home / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = {
        "model": {"name": "starter/chat"},
        "data": {"train_file": "rows.jsonl", "max_length": 64},
        "training": STEPS,
    }
    (home / "run.yaml").write_text(json.dumps(config))
    told = installed.run("maxft", "train", "run.yaml", "--folder", "tuned", cwd=home)
    events = [json.loads(line) for line in told.splitlines()]
    assert [event["step"] for event in events if event["kind"] == "log"] == [1, 2, 3, 4, 5]
    assert events[-1]["kind"] == "succeeded"
    assert (home / "tuned/model/adapter_model.safetensors").is_file()


def test_site_has_its_styles_and_trains(site, client):
    page = httpx.get(f"{site.url}/login/").raise_for_status().text
    styles = re.findall(r'<link[^>]+href="(/static/[^"]+\.css)', page)
    assert styles
    for style in styles:
        assert httpx.get(site.url + style).raise_for_status().text
    sample = client.get("/datasets")["items"][0]
    config = {"model": {"name": "starter/chat"}, "data": {"dataset": sample["id"]}}
    started = client.start({**config, "training": STEPS})
    ended = client.run_until(started["id"], "succeeded")
    assert ended["step"] == 5, site.log_tail()
