"""A checkpoint as a model: kept once, with the tokenizer of the run's own, and chatted with."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.urls import reverse

from jobs.models import LanguageModel
from maxaillm.dev.finetune.run import checkpoints
from tests.jobs.lives import ended

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(alice):
    made = ended(alice, saved_at=0)
    save(made, 4, weights=b"early")
    folder = Path(made.model.source)
    folder.mkdir(parents=True)
    for name, text in {"adapter_model.safetensors": "late", "tokenizer.json": "{}"}.items():
        (folder / name).write_text(text)
    (folder / "README.md").write_text("its scores")
    return made


def save(run, step, weights):
    folder = run.attempt_folder(run.attempt).checkpoints
    staged = folder / "staged"
    staged.mkdir(parents=True)
    (staged / "adapter_model.safetensors").write_bytes(weights)
    (staged / "optimizer.pt").write_bytes(b"of no use")
    checkpoints.commit(staged, folder / checkpoints.name_of(step), step, {})


def address(run, step=4):
    return reverse("jobs:checkpoint-chat", args=[run.pk, step])


def test_a_checkpoint_becomes_a_model_once(alice_client, bob_client, run):
    assert bob_client.post(address(run)).status_code == 404
    response = alice_client.post(address(run))
    kept = LanguageModel.objects.get(run=None, kind="adapter")
    assert response.url == f"/playground/?model={kept.pk}&beside={run.model.pk}"
    assert kept.name == f"{run.model.name} step 4"
    assert {path.name: path.read_text() for path in kept.own_folder.iterdir()} == {
        "adapter_model.safetensors": "early", "tokenizer.json": "{}",
    }  # fmt: skip
    assert alice_client.post(address(run)).url == response.url
    page = alice_client.get(kept.get_absolute_url()).content.decode()
    assert f"Run {run.pk}</a>, step 4" in " ".join(page.split())


def test_what_is_gone_or_altered_is_said_and_nothing_is_left(alice_client, run):
    said = alice_client.post(address(run, 2), follow=True).content.decode()
    assert "has no checkpoint of step 2 any more" in said
    place = run.attempt_folder(run.attempt).checkpoints / checkpoints.name_of(4)
    (place / "adapter_model.safetensors").write_bytes(b"other")
    assert "is damaged" in alice_client.post(address(run), follow=True).content.decode()
    assert not LanguageModel.objects.filter(run=None, kind="adapter").exists()


def test_weights_in_other_files_are_refused_whole(alice_client, run, settings):
    (Path(run.model.source) / "head.safetensors").write_text("more")
    said = alice_client.post(address(run), follow=True).content.decode()
    assert "does not hold the weights of a whole model" in said
    assert not LanguageModel.objects.filter(run=None, kind="adapter").exists()
    assert not [*Path(settings.DATA_DIR, "models").glob("*")]
