"""The provider of a new run: chosen where there are several, with its options."""

import pytest
import yaml
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs import run_form
from jobs.models import Run
from jobs.run_form.config_text import as_yaml
from maxft_site.web.schema_forms import form_class
from tests.hosted import HostedConfig
from tests.jobs.run_form.test_run_new import NEW, sent
from tests.jobs.runs import make_dataset

FORM = reverse("jobs:run-new-form")


def test_where_there_are_several_providers_one_is_chosen(
    alice_client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dataset(alice, rows=1)
    assert "provider-name" not in alice_client.get(NEW).text
    monkeypatch.setattr(run_form, "run_form_class", lambda: form_class(HostedConfig))
    page = alice_client.get(NEW).text
    assert 'name="provider-name"' in page
    assert "provider-suffix" not in page
    part = alice_client.post(FORM, sent(alice, provider__name="hosted"))
    assert 'name="provider-suffix"' in part.text
    choice = {"provider__name": "hosted", "provider__suffix": "mine"}
    alice_client.post(NEW, sent(alice, model__other="small-1", **choice))
    run = Run.objects.get()
    assert run.config["provider"] == {"name": "hosted", "suffix": "mine"}
    assert run.base_model.name == "small-1"


def test_a_run_with_another_provider_is_written_down_whole() -> None:
    whole = {"provider": {"name": "hosted", "suffix": "mine"}, "model": {"name": "small-1"}}
    loss = {"training": {"loss": {"name": "focal"}}}
    config = HostedConfig.parse(whole | loss)
    assert HostedConfig.parse(yaml.safe_load(as_yaml(config))) == config
