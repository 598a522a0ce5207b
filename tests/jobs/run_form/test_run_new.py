"""The page of a new run: the form, the same run as text, the preview beside it."""

from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from datasets_app.models import DatasetVersion
from jobs.models import LanguageModel, Run
from jobs.run_form import RunForms
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.losses import losses
from maxaillm.dev.finetune.methods import methods
from tests.jobs.pages import PAYLOADS, is_text
from tests.jobs.runs import make_dataset, make_run

NEW = reverse("jobs:run-new")
FORM = reverse("jobs:run-new-form")


@pytest.fixture
def version(alice: User) -> DatasetVersion:
    LanguageModel.objects.get_or_create(owner=None, name="starter/chat", kind="base")
    return make_dataset(alice, rows=1)


def sent(user: User, **changes: Any) -> dict[str, Any]:
    """The form as a browser would send it, but for `changes` (section__option=value)."""
    data = RunForms(user).as_if_sent().form.data
    fields = {name: data.getlist(name) for name in data}
    return fields | {name.replace("__", "-"): value for name, value in changes.items()}


def test_the_form_works_as_it_stands(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    answer = alice_client.post(NEW, sent(alice))
    run = Run.objects.get()
    assert answer.url == run.get_absolute_url()
    expected = RunConfig.parse(
        {"model": {"name": "starter/chat"}, "data": {"dataset": version.dataset_id}}
    )
    assert run.parsed_config == expected


def test_without_a_script_the_form_is_shown_anew_and_nothing_starts(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    answer = alice_client.post(NEW, sent(alice, name="kept", tuning__name="full", show="form"))
    assert answer.status_code == 200
    assert 'value="kept"' in answer.text
    assert not Run.objects.exists()


def test_what_was_typed_arrives(alice_client: Client, alice: User, version: DatasetVersion) -> None:
    changes = {
        "name": "mine",
        "tuning__name": "lora",
        "tuning__r": "16",
        "tuning__target_modules": "q_proj\nv_proj",
        "training__learning_rate": "1e-3",
        "training__early_stopping_patience": "3",
        "evaluation__sample_prompts": "One?\nTwo?",
    }
    alice_client.post(NEW, sent(alice, **changes))
    config = Run.objects.get().parsed_config
    assert config.name == "mine"
    assert config.training.learning_rate == 1e-3
    assert config.training.early_stopping_patience == 3
    assert config.evaluation.sample_prompts == ["One?", "Two?"]
    assert config.tuning.model_dump()["r"] == 16
    assert config.tuning.model_dump()["target_modules"] == ["q_proj", "v_proj"]


def test_all_mistakes_come_at_once_and_nothing_is_lost(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    changes = {"data__max_length": "768 tok", "tuning__r": "0", "training__learning_rate": "7"}
    answer = alice_client.post(NEW, sent(alice, name="kept", **changes))
    assert answer.status_code == 422
    assert not Run.objects.exists()
    for words in ("“768 tok” is no whole number", "“0” is out of range", "“7” is out of range"):
        assert words in answer.text
    assert 'value="768 tok"' in answer.text
    assert 'value="kept"' in answer.text
    assert "Maximum length" in answer.text


def test_a_folder_is_typed_beside_the_list(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    answer = alice_client.post(NEW, sent(alice, model__other="/no/such/folder"))
    assert answer.status_code == 422
    assert 'value="/no/such/folder"' in answer.text
    assert not Run.objects.exists()


@pytest.mark.parametrize("method", list(methods))
def test_another_method_brings_its_options(
    alice_client: Client, alice: User, version: DatasetVersion, method: str
) -> None:
    chosen = {"tuning__name": method, "tuning__shown": "full", "tuning__r": "77"}
    part = alice_client.post(FORM, sent(alice, training__learning_rate="1", **chosen))
    for name, info in methods[method].model_fields.items():
        if name != "name":
            assert (f'name="tuning-{name}"' in part.text) == bool(info.title)
        if isinstance(info.default, int | float):
            assert f'name="tuning-{name}" value="{info.default}"' in part.text
    assert f"recommended for {methods[method].label}" in part.text


def test_an_unknown_method_is_told(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    part = alice_client.post(FORM, sent(alice, tuning__name="nope")).text
    assert "“nope” is none of the choices" in part


def test_a_new_run_can_follow_an_old_one(
    alice_client: Client, bob_client: Client, alice: User, version: DatasetVersion
) -> None:
    config = RunConfig.parse(
        {
            "name": "old",
            "model": {"name": "starter/chat"},
            "data": {"dataset": version.dataset_id, "max_length": 333},
        }
    )
    old = make_run(alice, config=config.model_dump(mode="json"))
    page = alice_client.get(f"{NEW}?clone={old.pk}").text
    assert 'value="333"' in page
    assert 'value="old"' in page
    assert bob_client.get(f"{NEW}?clone={old.pk}").status_code == 404


def test_a_data_set_of_others_can_not_be_chosen(
    bob_client: Client, bob: User, version: DatasetVersion
) -> None:
    assert bob_client.get(f"{NEW}?dataset={version.dataset_id}").status_code == 404
    make_dataset(bob)
    answer = bob_client.post(NEW, sent(bob, data__dataset=str(version.dataset_id)))
    assert answer.status_code == 422
    assert not Run.objects.exists()


@pytest.mark.parametrize("view", ["yaml", "command", "python", "api"])
def test_the_same_run_as_text_and_back(
    alice_client: Client, alice: User, version: DatasetVersion, view: str
) -> None:
    text = alice_client.post(NEW, sent(alice, training__max_steps="77", show=view))
    assert text.status_code == 200
    assert "max_steps" in text.text
    assert not Run.objects.exists()

    written = text.context["yaml"]
    form = alice_client.post(NEW, {"yaml": written, "show": "form"})
    assert 'value="77"' in form.text


def test_yaml_is_pasted_in(alice_client: Client, version: DatasetVersion) -> None:
    text = f"""
model: {{name: starter/chat}}
data: {{dataset: {version.dataset_id}}}
tuning: {{r: 4}}
"""
    alice_client.post(NEW, {"yaml": text})
    assert Run.objects.get().parsed_config.tuning.model_dump()["r"] == 4


BOMB = "a: &a [x, x]\n" + "\n".join(f"{n}: &{n} [*a, *a]" for n in "bcdefgh")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: !!python/object/apply:os.system ['true']", "no valid YAML"),
        (BOMB, "aliases"),
        ("x" * 65_537, "larger than 64 KB"),
        ("[1, 2]", "no configuration"),
        ("a: " + "[" * 40 + "]" * 40, "no configuration"),
        ("model: {name: starter/chat}\ntraning: {}", "Did you mean &#x27;training&#x27;?"),
        ("model: {name: starter/chat}\ndata: {train_file: /etc/passwd}", "data.train_file"),
    ],
)
def test_bad_yaml_is_told_and_kept(
    alice_client: Client, version: DatasetVersion, text: str, words: str
) -> None:
    answer = alice_client.post(NEW, {"yaml": text})
    assert answer.status_code == 422
    assert words in answer.text
    assert answer.context["yaml"] == text
    assert not Run.objects.exists()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_was_typed_stays_text(
    alice_client: Client, alice: User, version: DatasetVersion, payload: str
) -> None:
    assert is_text(alice_client.post(NEW, sent(alice, name=payload, tuning__r="x")), payload)
    assert is_text(alice_client.post(NEW, {"yaml": f"# {payload}\nname: 1"}), payload)


def test_the_preview_says_what_will_happen(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    changes = {
        "training__per_device_train_batch_size": "8",
        "training__gradient_accumulation_steps": "4",
        "training__learning_rate": "0.9",
    }
    part = alice_client.post(FORM, sent(alice, **changes)).text
    assert "Start training: about" in part
    assert ">32<" in part
    assert "Learning rate 0.900 is very high" in part
    assert "data-fix=" in part


def test_the_preview_names_what_is_missing(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    wrong = sent(alice, training__num_train_epochs="many", data__max_length="1")
    page = alice_client.post(FORM, wrong)
    assert [field.label for field in page.context["preview"].missing] == [
        "Maximum length",
        "Epochs",
    ]
    assert 'href="#id_data-max_length" data-jump' in page.text
    assert "“many” is no whole number" not in page.text
    assert "“many” is no number" in page.text
    assert "“1” is out of range" in page.text


def test_methods_are_refused_also_where_a_field_is_wrong(alice_client: Client, alice: User) -> None:
    LanguageModel.objects.create(name="starter/chat", kind="base")
    make_dataset(alice, format={"name": "messages"})
    shown = alice_client.post(FORM, sent(alice, task="masked_lm", data__max_length="x")).context
    assert {field.label for field in shown["preview"].missing} >= {"Maximum length"}
    assert shown["forms"].refused.keys() >= {"prefix", "prompt_tuning"}
    shown = alice_client.post(FORM, sent(alice, task="causal_lm")).context
    assert (shown["preview"].missing, shown["forms"].refused) == ([], {})


def test_without_data_the_page_says_so(alice_client: Client) -> None:
    LanguageModel.objects.create(name="starter/chat", kind="base")
    page = alice_client.get(NEW)
    assert page.status_code == 200
    assert "No dataset is ready" in page.text
    assert "Put right: Dataset" in page.text


def test_text_is_the_configuration_and_nothing_else(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    answer = alice_client.post(NEW, sent(alice, name="a: b # c", show="yaml"))
    data = yaml.safe_load(answer.context["yaml"])
    assert data["name"] == "a: b # c"
    assert data["tuning"] == {"name": "lora"}
    assert data["data"] == {"dataset": version.dataset_id}


@pytest.mark.parametrize("name", ["", *losses])
def test_a_loss_can_be_chosen(
    name: str, alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    """Choosing it fetches its options without the page; what is typed there arrives."""
    swapped = alice_client.post(FORM, sent(alice, **{"training__loss-name": name}))
    assert f'<option value="{name}" selected>' in swapped.text
    options = losses[name].model_fields if name else {}
    assert all(f'name="training-loss-{option}"' in swapped.text for option in options)
    fields = sent(alice, **{"training__loss-name": name})
    run = alice_client.post(NEW, fields)
    assert run.status_code == 302
    loss = Run.objects.get().parsed_config.training.loss
    assert (loss.name if loss else "") == name


def test_class_weights_are_typed_as_lines(
    alice_client: Client, alice: User, version: DatasetVersion
) -> None:
    chosen = {"training__loss-name": "weighted_cross_entropy"}
    wrong = sent(alice, **chosen, **{"training__loss-weights": "spam: heavy"})
    answer = alice_client.post(NEW, wrong)
    assert answer.status_code == 422
    assert "“spam: heavy”: Input should be a valid number" in answer.text
    assert "spam: heavy</textarea>" in answer.text
    alice_client.post(NEW, sent(alice, **chosen, **{"training__loss-weights": "spam: 2"}))
    run = Run.objects.get()
    assert run.config["training"]["loss"]["weights"] == {"spam": 2}
    assert "spam: 2.0</textarea>" in alice_client.get(NEW, {"clone": run.pk}).text
