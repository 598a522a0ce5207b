"""The REST API of exports and evaluations: asked for, made in the queue, fetched."""

from __future__ import annotations

import errno
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import pytest
from django.contrib.auth.models import User

from jobs.models import Evaluation, Export, LanguageModel
from jobs.services import engine_jobs
from jobs.training import engine_jobs as carried_out
from jobs.training.fork_server import FORK_SERVER, listen
from tests.downloads import whole
from tests.forked import Forked, serve_engine
from tests.jobs.api.test_runs import Script
from tests.jobs.runs import make_dataset


@pytest.fixture(scope="module", autouse=True)
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The engine's, as `up` has it."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        address = Path(folder) / "w.sock"  # a path short enough for one
        with listen(address) as listener:
            server = Forked(serve_engine, listener, tmp_path_factory.getbasetemp())
        patch.setenv(FORK_SERVER, str(address))
        yield
        server.process.terminate()
        server.end()


@pytest.fixture(autouse=True)
def queued_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's transaction is never committed."""
    monkeypatch.setattr("django.db.transaction.on_commit", lambda enqueue: enqueue())


@pytest.fixture
def script(alice: User) -> Script:
    return Script(alice)


def test_an_export_is_made_and_fetched(
    script: Script, bob: User, adapter: LanguageModel, queue: Any
) -> None:
    asked = script.post(f"/models/{adapter.pk}/exports", {"format": "merged", "dtype": "float32"})
    assert asked.status_code == 202, asked.text
    made = asked.json()
    assert (made["status"], made["format"]) == ("queued", "merged")
    address = f"/exports/{made['id']}"
    assert script.get(f"{address}/download").status_code == 404
    queue.work()

    made = script.get(address).json()
    assert made["status"] == "ready", made["error"]
    assert made["parity"]["passed"]
    assert made["manifest"]["format"] == "merged"
    answer = script.get(f"{address}/download")
    archive = zipfile.ZipFile(io.BytesIO(whole(answer)))
    assert json.loads(archive.read("manifest.json")) == made["manifest"]
    assert {"model.safetensors", "parity.json"} <= set(archive.namelist())
    assert script.get(f"/models/{adapter.pk}/exports").json()["total"] == 1

    outsider = Script(bob)
    for path in (address, f"{address}/download", f"/models/{adapter.pk}/exports"):
        assert outsider.get(path).status_code == 404
    folder = Export.objects.get().folder
    assert script.client.delete(f"/api/v1{address}").status_code == 204
    assert not folder.exists()


def test_what_can_not_be_exported_says_why(
    script: Script, base: LanguageModel, adapter: LanguageModel, queue: Any
) -> None:
    path = f"/models/{adapter.pk}/exports"
    assert "format" in script.post(path, {}).json()["errors"][0]["path"]
    wrong = script.post(path, {"format": "ggff"})
    assert wrong.status_code == 400
    assert "Did you mean 'gguf'" in wrong.text
    assert script.post(path, {"format": "gguf", "type": "Q8"}).status_code == 422
    asked = script.post(f"/models/{base.pk}/exports", {"format": "adapter"})
    queue.work()
    failed = script.get(f"/exports/{asked.json()['id']}").json()
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "export"
    assert "no adapter" in failed["error"]["message"]


def test_nobody_fills_the_disk_or_the_queue(
    script: Script, alice: User, base: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_jobs, "MAX_EXPORTS", 1)
    monkeypatch.setattr(engine_jobs, "MAX_WAITING", 1)
    asked = {"models": [base.pk], "dataset": make_dataset(alice, rows=1).dataset_id}
    for path, body in (
        (f"/models/{base.pk}/exports", {"format": "merged"}),
        ("/evaluations", asked),
    ):
        assert script.post(path, body).status_code == 202
        refused = script.post(path, body)
        assert refused.status_code == 409
        assert refused.json()["error"]["hint"]


@pytest.mark.slow
def test_models_are_measured_on_the_same_rows(
    script: Script, alice: User, bob: User, adapter: LanguageModel, base: LanguageModel, queue: Any
) -> None:
    version = make_dataset(alice, rows=1)
    asked = {
        "models": [adapter.pk, base.pk],
        "dataset": version.dataset_id,
        "metrics": ["perplexity"],
    }
    assert Script(bob).post("/evaluations", asked).status_code == 404
    made = script.post("/evaluations", asked)
    assert made.status_code == 202, made.text
    queue.work()
    found = script.get(f"/evaluations/{made.json()['id']}").json()
    assert found["status"] == "ready", found["error"]
    assert [scores["model"] for scores in found["scores"]] == [base.pk, adapter.pk]
    for scores in found["scores"]:
        low, high = scores["perplexity_interval"]
        assert low <= scores["perplexity"] <= high
    assert script.get("/evaluations").json()["total"] == 1
    assert Script(bob).get("/evaluations").json()["total"] == 0


def test_an_evaluation_of_nothing_is_refused(
    script: Script, alice: User, base: LanguageModel
) -> None:
    version = make_dataset(alice, rows=1)
    known = {"models": [base.pk], "dataset": version.dataset_id}
    wrong = script.post("/evaluations", known | {"metrics": ["perplexty"]})
    assert wrong.status_code == 422
    assert "Did you mean 'perplexity'" in wrong.text
    assert script.post("/evaluations", known | {"dataset": 999}).status_code == 422
    assert script.post("/evaluations", known | {"models": [999]}).status_code == 404
    empty = script.post("/evaluations", known | {"models": []})
    assert "a list of whole numbers, at least 1 long" in empty.json()["errors"][0]["allowed"]
    missing = script.post("/evaluations", {"models": [base.pk]})
    assert "<" not in str(missing.json()["errors"][0]["value"])
    assert not Evaluation.objects.exists()


def test_a_full_disk_is_said_and_a_fault_of_ours_ends_the_job(
    script: Script, base: LanguageModel, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: Exception) -> dict[str, Any]:
        def work(*given: object) -> NoReturn:
            raise error

        monkeypatch.setattr(carried_out, "export", work)
        asked = script.post(f"/models/{base.pk}/exports", {"format": "merged"}).json()
        with suppress(ZeroDivisionError):
            queue.work()
        return script.get(f"/exports/{asked['id']}").json()

    full = fail(OSError(errno.ENOSPC, "No space left on device"))
    assert (full["status"], full["error"]["code"]) == ("failed", "files")
    assert "No space left on device" in full["error"]["message"]
    broken = fail(ZeroDivisionError())
    assert (broken["status"], broken["error"]["message"]) == ("failed", "The work failed.")


def test_what_libraries_print_between_is_no_answer(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('{"a": 1}\n{not JSON}\n[2]\n')
    assert carried_out.said(log, 0) == {"a": 1}
