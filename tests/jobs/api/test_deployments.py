"""Deployments by the REST API: made, keyed, limited, stopped, deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Deployment, DeploymentKey, LanguageModel, RequestLog, Run
from jobs.services.deployments import usage
from jobs.services.deployments.answering import model_of
from maxft_site.web.models import ApiToken
from tests.security.conftest import by_key, post

PATH = "/api/v1/deployments"


@pytest.fixture(autouse=True)
def each_test_has_its_site(own_site: None, redis_server: object) -> None: ...


@pytest.fixture
def model(alice: User) -> LanguageModel:
    return LanguageModel.objects.create(owner=alice, name="mine", kind="full")


def tuned(owner: User, name: str, level: str = "ok") -> LanguageModel:
    run = Run.objects.create(owner=owner, name=name, config={}, verdict={"level": level})
    return LanguageModel.objects.create(owner=owner, name=name, kind="full", run=run, attempt=1)


def deploy(user: User, deployed: LanguageModel, **more: Any) -> Any:
    return post(by_key(user), PATH, {"model": deployed.pk, "name": "support"} | more)


def test_a_deployment_from_its_start_to_its_end(alice: User, model: LanguageModel) -> None:
    script = by_key(alice)
    made = deploy(alice, model, concurrent=3)
    assert made.status_code == 201
    facts = made.json()
    assert facts["base_url"] == "http://testserver/v1"
    assert (facts["status"], facts["model"], facts["concurrent"]) == ("running", model.pk, 3)
    here = f"{PATH}/{facts['id']}"
    key = post(script, f"{here}/keys", {"name": "help centre", "days": 7}).json()
    stored = DeploymentKey.objects.get()
    assert key["key"] not in str(vars(stored))
    assert stored.expires - timezone.now() < timedelta(days=7)
    assert DeploymentKey.of(key["key"]).deployment_id == facts["id"]
    assert "key" not in script.get(f"{here}/keys").json()["items"][0]
    assert post(script, f"{here}/stop").json()["status"] == "stopped"
    assert post(script, f"{here}/start").json()["status"] == "running"
    assert script.delete(f"{here}/keys/{stored.pk}").status_code == 204
    assert DeploymentKey.of(key["key"]) is None
    assert script.delete(here).status_code == 204
    assert script.get(here).status_code == 404


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": "a b"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "../x"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"concurrent": 0}, "concurrent"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
        ({"model": "nobody's"}, "model"),
        ({"latest": True}, "latest"),
        ({"nonsense": 1}, "nonsense"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_its_name(alice, model, change, path) -> None:
    answer = deploy(alice, model, **change)
    assert answer.status_code == 422
    assert [problem["path"] for problem in answer.json()["errors"]] == [path]
    assert not Deployment.objects.exists()


def test_a_name_is_there_once_for_each_owner(alice, bob, model) -> None:
    assert deploy(alice, model).status_code == 201
    assert deploy(alice, model).status_code == 422
    assert deploy(bob, model).status_code == 404  # nobody else's model
    common = LanguageModel.objects.create(name="common", kind="base")
    assert deploy(bob, common).status_code == 201


def test_the_latest_of_a_family_answers(alice: User, bob: User) -> None:
    first = tuned(alice, "support")
    deploy(alice, first, latest=True)
    deployment = Deployment.objects.get()
    assert model_of(deployment) == first
    second = tuned(alice, "support 2")
    tuned(alice, "support bot")
    tuned(alice, "support 3", level="bad")  # worse than its base
    tuned(bob, "support 4")
    assert model_of(deployment) == second
    LanguageModel.objects.filter(pk=second.pk).update(deleted=timezone.now())
    assert model_of(deployment) == first
    script = by_key(alice)
    fixed = script.put(
        f"{PATH}/{deployment.pk}/model", {"model": first.pk}, content_type="application/json"
    )
    assert fixed.json()["family"] is None
    LanguageModel.objects.filter(pk=first.pk).delete()
    assert script.get(f"{PATH}/{deployment.pk}").json()["model"] is None


def test_a_key_of_a_deployment_opens_nothing_of_the_site(alice, model, api_token) -> None:
    deploy(alice, model)
    here = f"{PATH}/{Deployment.objects.get().pk}"
    key = post(by_key(alice), f"{here}/keys").json()["key"]
    program = Client(headers={"Authorization": f"Bearer {key}"})
    for path in ("/api/v1/me", here, f"{here}/log", "/api/v1/models"):
        assert program.get(path).status_code == 401
    assert ApiToken.of(key) is None


def test_expired_keys_and_those_of_closed_accounts_open_nothing(alice, model) -> None:
    deploy(alice, model)
    secret = post(by_key(alice), f"{PATH}/{Deployment.objects.get().pk}/keys").json()["key"]
    assert DeploymentKey.of(secret)
    DeploymentKey.objects.update(expires=timezone.now())
    assert DeploymentKey.of(secret) is None
    DeploymentKey.objects.update(expires=None)
    User.objects.update(is_active=False)
    assert DeploymentKey.of(secret) is None


def visit_of(deployment: Deployment, model: LanguageModel, **more: Any) -> usage.Visit:
    facts = {"outcome": "stop", "failed": False, "prompt_tokens": 5, "completion_tokens": 7}
    return usage.Visit(
        deployment=deployment, key=None, model=model, call="chat/completions",
        **facts | {"first_token_ms": 100, "whole_ms": 400} | more,
    )  # fmt: skip


def test_usage_is_counted_and_the_log_is_bounded(alice, model, monkeypatch) -> None:
    monkeypatch.setattr(usage, "MOST_LOGGED", 5)
    monkeypatch.setattr(usage, "TRIMMED_EVERY", 1)
    deploy(alice, model)
    deployment = Deployment.objects.get()
    for _ in range(8):
        usage.record(visit_of(deployment, model))
    usage.record(visit_of(deployment, model, failed=True, outcome="server_error"))
    script, here = by_key(alice), f"{PATH}/{deployment.pk}"
    today = script.get(f"{here}/usage?days=2").json()["days"][-1]
    assert (today["requests"], today["errors"], today["completion_tokens"]) == (9, 1, 63)
    assert today["first_token_p95"] == pytest.approx(0.1, rel=0.05)
    assert today["whole_p50"] == pytest.approx(0.4, rel=0.05)
    log = script.get(f"{here}/log").json()
    assert (log["total"], log["items"][0]["outcome"]) == (5, "server_error")
    RequestLog.objects.update(time=timezone.now() - timedelta(days=31))
    usage.trim_all()
    assert not RequestLog.objects.exists()
    deployment.keeps_log = False
    usage.record(visit_of(deployment, model))
    assert not RequestLog.objects.exists()
    assert usage.by_day(deployment, 1)[0].totals.requests == 10
    deployment.delete()
    usage.record(visit_of(Deployment(pk=deployment.pk or 1), model))
