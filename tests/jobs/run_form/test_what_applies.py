"""A new run shows what applies to its task, method and data, and says what is wrong where it is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets_app.models import DatasetVersion
from jobs.models import LanguageModel, Run
from tests.jobs.run_form.test_run_new import FORM, NEW, sent
from tests.jobs.runs import make_dataset
from tests.stored_rows import stored_rows


@pytest.fixture
def version(alice: User) -> DatasetVersion:
    LanguageModel.objects.get_or_create(owner=None, name="starter/chat", kind="base")
    return make_dataset(alice, rows=1)


def test_a_typed_model_is_told_at_its_own_field(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    page = alice_client.post(FORM, sent(alice, model__other="/no/such/folder"))
    assert [tuple(field) for field in page.context["preview"].missing] == [
        ("Base model", "model-other")
    ]
    error = page.text.partition('id="model-other-error"')[2]
    assert "There is no folder" in error[:400]
    assert "data-empty" in page.text


def classes_of(alice: User, name: str) -> dict[str, Any]:
    """A form over classified texts, as it is sent, for the model of that name."""
    rows = [{"text": f"a {n}", "label": "xy"[n % 2]} for n in range(40)]
    made = make_dataset(
        alice, format={"name": "classification"}, rows=40,
        rows_sha256=stored_rows(rows),
    )  # fmt: skip
    return sent(alice, data__dataset=str(made.dataset_id), model__name=name)


def test_the_form_shows_what_applies_and_nothing_else(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    chosen = classes_of(alice, "starter/chat")
    page = alice_client.post(FORM, chosen)
    offered = re.findall(r'name="evaluation-metrics" value="(\w+)"', page.text)
    assert sorted(offered) == ["accuracy", "calibration_error", "macro_f1", "mcc"]
    losses_offered = page.text.partition('name="training-loss-name"')[2].partition("</select>")[0]
    assert 'value="mean_squared_error"' not in losses_offered
    assert 'value="weighted_cross_entropy"' in losses_offered
    for option in ("data-packing", "data-train_on", "evaluation-max_new_tokens"):
        assert f'name="{option}"' not in page.text
    assert "Recommended: Accuracy, Macro F1" in page.text
    assert page.context["preview"].missing == []


def test_what_was_chosen_before_is_left_out_with_a_word(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    before = {"evaluation__metrics": ["bleu", "accuracy"], "evaluation__max_new_tokens": "9"}
    chosen = classes_of(alice, "starter/chat") | {
        name.replace("__", "-"): value for name, value in before.items()
    }
    page = alice_client.post(FORM, chosen)
    assert 'data-set-aside="Length of the sampled answers, BLEU"' in page.text
    assert page.context["preview"].missing == []
    assert page.context["forms"].config.evaluation.metrics == ["accuracy"]

    refused = alice_client.post(NEW, chosen)
    assert refused.status_code == 422
    assert "BLEU does not judge sequence_classification" in refused.text
    assert "does not apply to the task Classification" in refused.text
    assert not Run.objects.exists()


def test_models_and_datasets_are_chosen_by_what_they_are(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    DatasetVersion.objects.filter(pk=version.pk).update(
        rows=50, bad_rows=2, facts={"splits": {"validation": 20}}
    )
    page = alice_client.get(NEW).text
    for words in ("3.41 M parameters", "512 tokens, apache-2.0", "20 to validate", "2 left out"):
        assert words in page
