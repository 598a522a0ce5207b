"""Exports from the page of a model: asked for, watched, stopped, fetched, pushed, deleted."""

from __future__ import annotations

import io
import json
import os
import zipfile
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.models import Export, HubPush, LanguageModel
from jobs.services import engine_jobs
from jobs.training import engine_jobs as carried_out
from jobs.training import engine_process
from tests.downloads import whole
from tests.hub_repositories import taking


@pytest.fixture(autouse=True)
def queued_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's transaction is never committed."""
    monkeypatch.setattr("django.db.transaction.on_commit", lambda enqueue: enqueue())


def ask(client: Client, model: LanguageModel, name: str, **options: str) -> Export:
    sent = {f"{name}-{option}": value for option, value in options.items()}
    answer = client.post(reverse("jobs:export-new", args=[model.pk, name]), sent)
    assert answer.status_code == 302, answer.text
    return Export.objects.latest("pk")


def test_made_fetched_and_deleted(
    alice_client: Client, bob_client: Client, adapter: LanguageModel, queue: Any
) -> None:
    page = alice_client.get(adapter.get_absolute_url()).text
    assert "Nothing was exported yet" in page
    assert "Bits a weight: F32 32" in page
    export = ask(alice_client, adapter, "gguf", type="Q8_0")
    listed = reverse("jobs:model-exports", args=[adapter.pk])
    waiting = alice_client.get(listed).text
    assert 'hx-trigger="every 1s"' in waiting
    assert "Waiting" in waiting
    queue.work()
    made = alice_client.get(listed).text
    export.refresh_from_db()
    assert export.status == "ready", export.error
    assert "hx-trigger" not in made
    assert "5 of 5 prompts, token for token" in made or "Within tolerance" in made
    assert "perplexity" in made
    assert export.manifest["files"][0]["sha256"] in made

    address = f"/api/v1/exports/{export.pk}/download"
    full = alice_client.get(address)
    content = whole(full)
    assert len(content) == export.size_bytes
    cut = len(content) * 99 // 100  # a download that broke off goes on from here
    headers = {"Range": f"bytes={cut}-", "If-Range": full["ETag"]}
    rest = alice_client.get(address, headers=headers)
    assert rest.status_code == 206
    assert content[:cut] + whole(rest) == content
    another = headers | {"If-Range": '"another"'}
    assert alice_client.get(address, headers=another).status_code == 200

    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert {"maxft/tuned-1/model.gguf", "maxft/tuned-1/Modelfile"} <= set(names)
    card = zipfile.ZipFile(io.BytesIO(content)).read("maxft/tuned-1/README.md")
    assert b"Parity with the trained model" in card

    delete = reverse("jobs:export-delete", args=[export.pk])
    assert bob_client.post(delete).status_code == 404
    alice_client.post(delete)
    assert not export.folder.exists()
    assert not Export.objects.exists()


def test_a_failed_parity_shows_the_prompts_and_offers_nothing(
    alice_client: Client, adapter: LanguageModel, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    parity = {"passed": False, "prompts": ["The"], "differing": [
        {"prompt": "The <b>", "model": "one", "export": "two", "first_token": 3}]}  # fmt: skip

    def differ(*given: object) -> None:
        raise carried_out.CommandFailedError("export", "It says something else.", "", parity)

    monkeypatch.setattr(carried_out, "run", differ)
    export = ask(alice_client, adapter, "merged", dtype="float32")
    queue.work()
    page = alice_client.get(adapter.get_absolute_url()).text
    assert "It says something else." in page
    assert "1 prompt answered in another way" in page
    assert "The &lt;b&gt;" in page
    assert "Differs" in page
    assert f"/api/v1/exports/{export.pk}/download" not in page
    assert alice_client.get(f"/api/v1/exports/{export.pk}/download").status_code == 404
    assert not export.folder.exists()


def test_what_can_not_be_exported_is_said_before(alice_client: Client, base: LanguageModel) -> None:
    page = alice_client.get(base.get_absolute_url()).text
    assert "there is no adapter apart from it" in page
    assert reverse("jobs:export-new", args=[base.pk, "gguf"]) in page


def test_stopped_while_it_is_made(
    alice_client: Client, adapter: LanguageModel, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker sees it at its next look, ends the engine and leaves nothing."""
    export = ask(alice_client, adapter, "merged", dtype="float32")
    monkeypatch.setattr(carried_out, "TELL_SECONDS", 0.0)
    started: list[int] = []
    poll = engine_process.EngineProcess.poll

    def stop_it(process: Any) -> int | None:
        if process.pid and not started:
            started.append(process.pid)
            alice_client.post(reverse("jobs:export-cancel", args=[export.pk]))
        return poll(process)

    monkeypatch.setattr(engine_process.EngineProcess, "poll", stop_it)
    queue.work()
    export.refresh_from_db()
    assert export.status == "cancelled"
    assert not export.folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)
    again = ask(alice_client, adapter, "merged", dtype="float32")
    assert again.pk != export.pk


def test_the_engine_killed_in_the_middle(
    alice_client: Client, adapter: LanguageModel, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(alice_client, adapter, "merged", dtype="float32")
    poll = engine_process.EngineProcess.poll

    def kill_it(process: Any) -> int | None:
        if process.pid:
            process.kill()
        return poll(process)

    monkeypatch.setattr(engine_process.EngineProcess, "poll", kill_it)
    queue.work()
    export.refresh_from_db()
    assert (export.status, export.error["code"]) == ("failed", "died")
    assert "Ask again" in export.error["hint"]
    assert not export.folder.exists()


def test_a_worker_that_dies_again_and_again(adapter: LanguageModel, alice: User) -> None:
    """Its work is done by another, but not for ever; what a dead one finds out late is left out."""
    export = Export.objects.create(owner=alice, model=adapter, format="merged")
    first = engine_jobs.begin("export", export.pk)
    second = engine_jobs.begin("export", export.pk)
    assert first and second
    second.folder.mkdir(parents=True)
    engine_jobs.end(first, size_bytes=1)
    export.refresh_from_db()
    assert export.status == "running"
    assert second.folder.exists()
    assert engine_jobs.begin("export", export.pk)
    assert engine_jobs.begin("export", export.pk) is None
    export.refresh_from_db()
    assert (export.status, export.error["code"]) == ("failed", "interrupted")
    assert "interrupted" in export.error["message"]


def test_the_process_that_makes_it_is_killed(adapter: LanguageModel, alice: User) -> None:
    """As the worker tells: it ends clearly, with nothing left, and can be asked for again."""
    export = Export.objects.create(owner=alice, model=adapter, format="merged")
    begun = engine_jobs.begin("export", export.pk)
    assert begun
    (begun.folder / "files").mkdir(parents=True)
    engine_jobs.interrupt("export", export.pk)
    export.refresh_from_db()
    assert export.status == "failed"
    assert "was killed" in export.error["message"]
    assert not export.folder.exists()


def test_pushed_to_the_hub_with_ones_own_token(
    alice_client: Client,
    alice: User,
    adapter: LanguageModel,
    queue: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export = Export.objects.create(owner=alice, model=adapter, format="gguf", status="ready")
    export.folder.mkdir(parents=True)
    with zipfile.ZipFile(export.archive, "w") as archive:
        archive.writestr("maxft/tuned/model.gguf", b"weights")
        archive.writestr("maxft/tuned/README.md", b"# tuned")
    with taking("hf_alices_own") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", "hf_the_sites")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        address = reverse("jobs:export-push", args=[export.pk])
        sent = {"repository": "ann/tuned", "token": "hf_alices_own", "is_private": "on"}
        alice_client.post(address, sent)
        push = HubPush.objects.get()
        stored = json.dumps(list(HubPush.objects.values()), default=str)
        assert "hf_alices_own" not in stored
        queue.work()
        push.refresh_from_db()
        assert (push.status, push.error) == ("done", None)
        assert push.sealed_token == ""
        assert hub.private == {"ann/tuned": True}
        assert hub.files["ann/tuned"] == {"model.gguf": b"weights", "README.md": b"# tuned"}
        alice_client.post(address, sent | {"token": "hf_wrong"})
        queue.work()
    failed = HubPush.objects.first()
    assert failed and failed.status == "failed"
    assert "does not know this token" in failed.error["hint"]
    assert failed.sealed_token == ""
    page = alice_client.get(adapter.get_absolute_url()).text
    assert "hf_wrong" not in page
    assert "does not know this token" in page
    alice_client.post(address, {"repository": "no name", "token": ""})
    assert HubPush.objects.count() == 2
