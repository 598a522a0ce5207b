"""The first page: three steps with their state, what runs, the sample's run."""

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from datasets_app.models import Dataset
from jobs.models import LanguageModel, Run
from maxaillm.starter import SAMPLE_NAME, SAMPLE_RECIPE
from tests.conftest import FakeQueue
from tests.jobs.runs import make_dataset, make_run, running

HOME = reverse("jobs:home")


def make_sample() -> Dataset:
    version = make_dataset(None, rows=498)
    Dataset.objects.filter(pk=version.dataset_id).update(name=SAMPLE_NAME)
    LanguageModel.objects.create(name="starter/chat", kind="base")
    return version.dataset


def test_the_sample_is_one_click_away(alice_client: Client, alice: User, queue: FakeQueue) -> None:
    sample = make_sample()
    page = alice_client.get(HOME)
    assert "Train the sample" in page.text
    assert "498 short questions" in page.text

    answer = alice_client.post(reverse("jobs:train-sample"))

    run = Run.objects.get()
    assert answer.url == run.get_absolute_url()
    assert run.owner == alice
    assert run.parsed_config.data.dataset == sample.pk
    assert run.parsed_config.tuning.name == SAMPLE_RECIPE["tuning"]["name"]


def test_a_missing_sample_is_told(alice_client: Client) -> None:
    page = alice_client.get(HOME)
    assert "Train the sample" not in page.text
    assert "Add a dataset" in page.text

    answer = alice_client.post(reverse("jobs:train-sample"))
    assert answer.status_code == 400
    assert "not ready yet" in answer.text


def test_what_runs_is_shown_to_its_owner_only(
    alice_client: Client, bob_client: Client, alice: User
) -> None:
    run = running(alice)
    assert run.get_absolute_url() in alice_client.get(HOME).text
    assert run.get_absolute_url() not in bob_client.get(HOME).text


def test_a_tuned_model_offers_a_chat(alice_client: Client, alice: User) -> None:
    run = make_run(alice, status="succeeded")
    tuned = LanguageModel.objects.create(owner=alice, name="first #1", kind="adapter", run=run)
    chat = f"{reverse('jobs:playground')}?model={tuned.pk}&amp;beside=base"
    assert chat in alice_client.get(HOME).text


def test_htmx_gets_the_part_that_changes(alice_client: Client) -> None:
    part = alice_client.get(HOME, headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert 'id="home-now"' in part.text


def test_nobody_gets_in_without_signing_in(client: Client, db: None) -> None:
    assert client.get(HOME).status_code == 302
