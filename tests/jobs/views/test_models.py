"""Models: the list, the page of one, where it comes from."""

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.models import LanguageModel
from tests.jobs.pages import PAYLOADS, is_text
from tests.jobs.runs import make_run

MODELS = reverse("jobs:models")


def tuned(owner: User, name: str = "first #1") -> LanguageModel:
    run = make_run(owner, status="succeeded")
    return LanguageModel.objects.create(
        owner=owner,
        name=name,
        kind="adapter",
        base=run.base_model,
        run=run,
        attempt=1,
        size_bytes=140_000,
        metrics={"eval_loss": 1.25},
    )


def test_the_list_shows_base_and_tuned(alice_client: Client, alice: User) -> None:
    model = tuned(alice)
    page = alice_client.get(MODELS).text
    assert "starter/chat" in page
    assert "1 time<" in page
    assert model.get_absolute_url() in page
    assert "140.0 kB" in page


def test_an_empty_list_says_where_models_come_from(alice_client: Client) -> None:
    page = alice_client.get(MODELS).text
    assert "No tuned model yet" in page
    assert "No base model is known" in page


def test_the_page_tells_the_lineage(alice_client: Client, alice: User) -> None:
    model = tuned(alice)
    page = alice_client.get(model.get_absolute_url()).text
    assert model.run is not None
    assert model.run.get_absolute_url() in page
    assert "starter/chat" in page
    assert "1.25" in page
    assert f"{reverse('jobs:playground')}?model={model.pk}&amp;beside=base" in page


def test_tuned_models_are_their_owners(
    alice_client: Client, bob_client: Client, alice: User
) -> None:
    model = tuned(alice)
    assert bob_client.get(model.get_absolute_url()).status_code == 404
    assert model.get_absolute_url() not in bob_client.get(MODELS).text
    assert model.base is not None
    base = bob_client.get(model.base.get_absolute_url())
    assert base.status_code == 200
    assert model.name not in base.text


def test_names_stay_text(alice_client: Client, alice: User) -> None:
    for payload in PAYLOADS:
        model = tuned(alice, name=payload)
        assert is_text(alice_client.get(MODELS), payload)
        assert is_text(alice_client.get(model.get_absolute_url()), payload)
