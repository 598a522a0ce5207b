"""Pages of deployments: the list, a new one, keys shown once, stop, start, delete."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.deployment_page.snippets import snippets_of
from jobs.models import Deployment, DeploymentKey, LanguageModel
from jobs.services.deployments.management import DeploymentOptions, create
from maxft_site.web.models import ApiToken


@pytest.fixture
def model(alice: User) -> LanguageModel:
    return LanguageModel.objects.create(owner=alice, name="mine", kind="full")


@pytest.fixture
def deployment(alice: User, model: LanguageModel, redis_server: object) -> Deployment:
    options = DeploymentOptions()
    return create(owner=alice, model=model, name="support", follows_family=False, options=options)


def fields(chosen: LanguageModel, **more: Any) -> dict[str, Any]:
    options = {f"options-{name}": value for name, value in DeploymentOptions().model_dump().items()}
    return {"name": "support", "model": chosen.pk} | options | more


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_no_deployment_is_said_with_the_next_step(alice_client: Client) -> None:
    page = text_of(alice_client.get("/deployments/"))
    assert "No deployments yet" in page
    assert 'href="/deployments/new/"' in page


def test_a_model_is_deployed_from_its_page(alice_client, model, redis_server) -> None:
    address = f"/deployments/new/?model={model.pk}"
    assert address in text_of(alice_client.get(model.get_absolute_url()))
    assert f'value="{model.pk}" selected' in text_of(alice_client.get(address))
    made = alice_client.post("/deployments/new/", fields(model), follow=True)
    assert "support" in text_of(made)
    assert Deployment.objects.get().model == model
    assert "support" in text_of(alice_client.get("/deployments/?order=state"))
    assert "support" in text_of(alice_client.get("/search/?q=supp"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": "a b"}, "at most 63"),
        ({"latest": "on"}, "was not made by a run"),
        ({"options-concurrent": "65"}, "out of range"),
        ({"model": "999"}, "not one of the available choices"),
    ],
)
def test_a_mistake_is_told_on_the_form(alice_client, model, more, said) -> None:
    answer = alice_client.post("/deployments/new/", fields(model, **more))
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not Deployment.objects.exists()


def test_a_key_is_shown_once_and_in_the_snippet(alice_client, deployment) -> None:
    here = deployment.get_absolute_url()
    answer = alice_client.post(f"{here}keys/", {"name": "help centre", "days": "30"})
    assert answer.status_code == 201
    key = DeploymentKey.objects.get()
    shown = text_of(answer)
    secret = shown.split("MAXFT_KEY=")[1].split("<")[0]
    assert DeploymentKey.of(secret) == key
    later = text_of(alice_client.get(here))
    assert secret not in later
    assert "help centre" in later
    alice_client.post(f"{here}keys/{key.pk}/revoke/")
    assert not DeploymentKey.objects.exists()


def test_stop_start_change_delete(alice_client, bob_client, deployment, model) -> None:
    here = deployment.get_absolute_url()
    alice_client.post(f"{here}stop/")
    assert "Start again" in text_of(alice_client.get(here))
    assert bob_client.post(f"{here}start/").status_code == 404
    alice_client.post(f"{here}start/")
    body = fields(model, **{"options-concurrent": "3", "options-keeps_log": ""})
    del body["options-keeps_log"]
    assert alice_client.post(f"{here}change/", body).status_code == 302
    deployment.refresh_from_db()
    assert (deployment.concurrent, deployment.keeps_log, deployment.is_running) == (3, False, True)
    assert alice_client.post(f"{here}nonsense/").status_code == 404
    alice_client.post(f"{here}delete/")
    assert not Deployment.objects.exists()


def test_snippets_are_those_of_what_the_model_does(deployment: Deployment) -> None:
    for snippet in snippets_of("support", "http://here/v1", deployment.model):
        assert "http://here/v1" in snippet.text
        assert '"support"' in snippet.text
        assert "MAXFT_KEY" in snippet.text


def test_a_new_password_leaves_a_deployments_keys(alice: User, deployment: Deployment) -> None:
    DeploymentKey.objects.create(deployment=deployment, name="x", digest="x")
    ApiToken.issue(alice, "own")
    alice.set_password("another long walk 2")
    alice.save()
    from maxft_site.web.models import EndKeys

    EndKeys().password_changed("x", alice)
    assert not alice.api_tokens.exists()
    assert deployment.keys.count() == 1
