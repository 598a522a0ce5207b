"""The list of runs: filters, pages, rows that refresh themselves."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.views.run_list import PER_PAGE
from tests.jobs.pages import PAYLOADS, is_text, trained
from tests.jobs.runs import make_run

RUNS = reverse("jobs:runs")


def test_an_empty_list_offers_the_next_step(alice_client: Client) -> None:
    page = alice_client.get(RUNS)
    assert "No runs yet" in page.text
    assert reverse("jobs:run-new") in page.text


def test_a_row_tells_state_progress_and_loss(alice_client: Client, alice: User) -> None:
    run = trained(alice)
    page = alice_client.get(RUNS).text
    assert f"{run.pk} · first" in page
    assert "Training" in page
    assert '<svg class="spark"' in page
    assert "Perplexity 4.48" in page


def test_an_outsider_sees_nothing(bob_client: Client, alice: User) -> None:
    make_run(alice, name="secret plan")
    assert "secret plan" not in bob_client.get(RUNS).text


def test_filters_narrow_the_list(alice_client: Client, alice: User) -> None:
    failed = make_run(alice, name="broken", status="failed", error={"message": "No memory."})
    make_run(alice, name="whole", status="succeeded")

    for query in ("state=failed", f"dataset={failed.dataset.dataset_id}", "query=BROK"):
        page = alice_client.get(f"{RUNS}?{query}").text
        assert "broken" in page
        assert "whole" not in page
    assert "No run matches" in alice_client.get(f"{RUNS}?method=full").text


@pytest.mark.parametrize("query", ["state=x", "dataset=%27", "page=9", "page=x", "method=%00"])
def test_an_odd_address_is_no_mistake(alice_client: Client, alice: User, query: str) -> None:
    make_run(alice)
    assert alice_client.get(f"{RUNS}?{query}").status_code == 200


def test_long_lists_have_pages(alice_client: Client, alice: User) -> None:
    for number in range(PER_PAGE + 1):
        make_run(alice, name=f"run number {number}", status="succeeded")
    first = alice_client.get(RUNS)
    assert "run number 0<" not in first.text
    assert "run number 0<" in alice_client.get(f"{RUNS}?page=2").text


def test_htmx_gets_the_rows_alone(alice_client: Client, alice: User) -> None:
    make_run(alice)
    part = alice_client.get(RUNS, headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert 'id="rows"' in part


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_name_stays_text(alice_client: Client, alice: User, payload: str) -> None:
    make_run(alice, name=payload)
    assert is_text(alice_client.get(RUNS), payload)
