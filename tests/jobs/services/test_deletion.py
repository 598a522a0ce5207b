"""Deleting runs: out of sight with their models, back for seven days, then off the disk."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from datasets_app.models import Dataset
from datasets_app.services.deletion import delete_dataset, purge_dataset
from jobs.models import Conversation, Export, LanguageModel, Run, Status
from jobs.services import deletion
from jobs.services.deletion import RunInUseError
from jobs.services.transitions import IllegalMoveError
from tests.jobs.runs import make_run, running, status_of


def finished(owner: User) -> Run:
    run = make_run(owner, status=Status.SUCCEEDED, attempt=1)
    folder = run.attempt_folder(1)
    folder.model.mkdir(parents=True)
    (folder.model / "model.safetensors").write_bytes(b"w" * 1000)
    (folder.checkpoints / "step-0000004").mkdir(parents=True)
    name = f"{run.name} #{run.pk}"
    LanguageModel.objects.create(
        owner=owner, name=name, kind="full", run=run, attempt=1, base=run.base_model
    )
    return run


def age(run: Run, days: float) -> None:
    Run.objects.filter(pk=run.pk).update(deleted=timezone.now() - timedelta(days=days))


def names(client: Client, address: str, **query: Any) -> list[int]:
    return [item["id"] for item in client.get(address, query).json()["items"]]


def test_what_waits_is_stopped_and_what_works_is_refused(alice: User) -> None:
    waits, works = make_run(alice), running(alice)
    deletion.delete_run(run=waits, by=alice)
    assert status_of(waits) == Status.CANCELLED
    assert list(Run.objects.visible_to(alice)) == [works]
    with pytest.raises(IllegalMoveError, match="be deleted"):
        deletion.delete_run(run=works, by=alice)


def test_a_run_goes_with_its_model_and_comes_back_with_it(
    alice_client: Client, bob_client: Client, alice: User
) -> None:
    run = finished(alice)
    answer = alice_client.post(f"/runs/{run.pk}/delete/", follow=True)
    assert "is deleted. Its files are kept for seven days." in answer.text
    assert names(alice_client, "/api/v1/runs") == []
    assert run.model.pk not in names(alice_client, "/api/v1/models")
    assert names(alice_client, "/api/v1/runs", deleted=True) == [run.pk]
    assert "1.0 kB" in alice_client.get("/runs/deleted/").text
    assert bob_client.post(f"/runs/{run.pk}/restore/").status_code == 404
    assert alice_client.post(f"/runs/{run.pk}/restore/").url == run.get_absolute_url()
    assert run.model.pk in names(alice_client, "/api/v1/models")


def test_the_api_deletes_and_restores(alice_client: Client, alice: User) -> None:
    run = finished(alice)
    assert alice_client.delete(f"/api/v1/runs/{run.pk}").status_code == 204
    assert alice_client.post(f"/api/v1/runs/{run.pk}/restore").json()["id"] == run.pk
    assert alice_client.post(f"/api/v1/runs/{run.pk}/restore").status_code == 404


def test_after_seven_days_the_disk_is_free(alice: User) -> None:
    run, kept = finished(alice), finished(alice)
    for each in (run, kept):
        deletion.delete_run(run=each, by=alice)
    age(run, 7.1)
    age(kept, 6.9)
    assert deletion.purge_runs() == 1
    assert not run.root.exists()
    assert kept.root.exists()
    assert not Run.objects.filter(pk=run.pk).exists()
    assert not LanguageModel.objects.filter(run=run.pk).exists()


def test_its_exports_go_with_it(alice: User) -> None:
    run = finished(alice)
    export = Export.objects.create(owner=alice, model=run.model, format="merged")
    export.folder.mkdir(parents=True)
    (export.folder / "merged.zip").write_bytes(b"w")
    deletion.delete_run(run=run, by=alice)
    assert export.folder.exists()
    age(run, 7.1)
    assert deletion.purge_runs() == 1
    assert not export.folder.exists()
    assert not Export.objects.exists()


def test_the_disk_is_free_also_where_a_chat_names_the_model(alice: User) -> None:
    run = finished(alice)
    chat = Conversation.objects.create(owner=alice, title="t", left=run.model)
    deletion.delete_run(run=run, by=alice)
    age(run, 8)
    assert deletion.purge_runs() == 1
    assert not run.root.exists()
    assert not Run.objects.deleted_by(alice).exists()
    assert Conversation.objects.get(pk=chat.pk).left.deleted
    assert deletion.purge_runs() == 0
    dataset = Dataset.objects.get(pk=run.dataset.dataset_id)
    delete_dataset(dataset=dataset)
    assert purge_dataset(dataset=dataset)  # its rows are needed no more


def test_it_is_deleted_for_good_at_once_where_that_is_asked_for(
    alice_client: Client, alice: User
) -> None:
    run = finished(alice)
    assert alice_client.post(f"/runs/{run.pk}/purge/").status_code == 404  # not deleted yet
    alice_client.post(f"/runs/{run.pk}/delete/")
    assert "is gone for good" in alice_client.post(f"/runs/{run.pk}/purge/", follow=True).text
    assert not run.root.exists()


def test_a_model_that_others_stand_on_is_not_taken_from_them(alice: User) -> None:
    run = finished(alice)
    other = make_run(alice, base_model=run.model, status=Status.SUCCEEDED)
    with pytest.raises(RunInUseError, match=f"Run {other.pk}"):
        deletion.delete_run(run=run, by=alice)
    deletion.delete_run(run=other, by=alice)
    deletion.delete_run(run=run, by=alice)


def test_the_table_of_checkpoints_lists_those_on_the_disk(
    alice_client: Client, alice: User
) -> None:
    run = finished(alice)
    for seq, step in enumerate((2, 3, 4), start=1):
        data = {"folder": f"checkpoints/step-{step:07d}", "size_bytes": 12_000}
        run.events.create(
            seq=seq, attempt=1, kind="checkpoint", step=step, time=1.0, data=data, key=str(step)
        )
    page = alice_client.get(f"/runs/{run.pk}/parts/results/").text
    assert page.count("12.0 kB") == 1
    assert "2 more were made and removed since" in page
