"""The playground with models that turn one text into another, or judge a text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.inference.model_cache import ModelCache
from jobs.models import LanguageModel, Run
from maxaillm.dev.finetune.model_files.card import FILE, TaskCard
from tests.families import FAMILIES, save_encoder_tokenizer
from tests.jobs.answers import answer_all
from tests.jobs.inference.test_worker import ask

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {name: FAMILIES[name](root / name) for name in ("t5", "bert")}


@pytest.fixture(autouse=True)
def leave_no_model_behind(model_cache: ModelCache) -> Iterator[None]:
    yield
    model_cache.bases.clear()


def save_classifier(base: Path, folder: Path, labels: list[str]) -> None:
    """An adapter with a head of its own, and the card that names the labels."""
    import peft
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(len(labels))
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(labels))
    config = peft.LoraConfig(
        task_type="SEQ_CLS", target_modules=["query"], modules_to_save=["bert.pooler.dense"]
    )
    peft.get_peft_model(model, config).save_pretrained(folder)
    save_encoder_tokenizer(folder)
    card = TaskCard(task="sequence_classification", labels=labels, base="x")
    (folder / FILE).write_text(card.model_dump_json())


@pytest.fixture
def classifiers(alice: Any, folders: dict[str, Path]) -> list[LanguageModel]:
    """Two adapters on one base, of other classes each."""
    base = LanguageModel.objects.create(name=str(folders["bert"]), kind="base", size_bytes=10**6)
    made = []
    for labels in (["no", "yes"], ["bad", "fair", "good"]):
        run = Run.objects.create(owner=alice, name="tuned", config={}, base_model=base)
        save_classifier(folders["bert"], run.attempt_folder(1).model, labels)
        made.append(
            LanguageModel.objects.create(
                owner=alice, name=f"judge #{run.pk}", kind="adapter", base=base, run=run, attempt=1
            )
        )
    return made


def test_a_model_that_turns_texts_into_others_answers(alice, folders, worker):
    model = LanguageModel.objects.create(name=str(folders["t5"]), kind="base", size_bytes=10**6)
    [answer] = ask(alice, model)
    answer_all(worker)
    answer.refresh_from_db()
    assert answer.status == "done", answer.error
    assert answer.usage["prompt_tokens"] == len("What is red?") + 1
    assert answer.usage["completion_tokens"] > 0


def test_a_model_that_judges_says_classes_with_probabilities(alice, classifiers, worker):
    for model, label in zip(classifiers, ("yes", "good"), strict=True):
        [answer] = ask(alice, model, question="red blue")
        answer_all(worker)
        answer.refresh_from_db()
        assert answer.status == "done", answer.error
        assert f"{label} " in answer.text
        assert answer.text.count("%") == len(answer.text.split(", "))
        assert answer.usage["completion_tokens"] == 0


def test_page_of_a_model_that_judges(alice, alice_client, classifiers, folders, worker):
    """Labels as bars, no option that only writing knows, no base without a head beside it."""
    three = classifiers[1]
    start = alice_client.get(f"/playground/?model={three.pk}&beside=base")
    forms = start.context["forms"]
    assert [model and model.pk for model in forms.chat.shown] == [three.pk, None]
    assert forms.chat.only_judges
    [answer] = ask(alice, three, question="red blue")
    answer_all(worker)
    page = alice_client.get(answer.conversation.get_absolute_url()).content.decode()
    answer.refresh_from_db()
    shares = [label["probability"] for label in answer.judgement["labels"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    for label, share in zip(answer.judgement["labels"], shares, strict=True):
        assert f'<span title="{label["label"]}">' in page
        assert f"{share:.1%}".replace("%", " %") in page


def test_a_model_without_a_head_is_not_offered(alice_client, folders, classifiers, tmp_path):
    shutil.copytree(folders["bert"], tmp_path / "bare")
    settings = json.loads((tmp_path / "bare/config.json").read_text())
    (tmp_path / "bare/config.json").write_text(
        json.dumps(settings | {"architectures": ["BertModel"]})
    )
    bare = LanguageModel.objects.create(name=str(tmp_path / "bare"), kind="base")
    offered = alice_client.get("/playground/").context["forms"].chat.visible
    assert {str(model.pk) for model in classifiers} < offered.keys()
    assert str(bare.pk) not in offered
