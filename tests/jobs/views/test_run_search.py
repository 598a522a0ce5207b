"""The search language of runs, by page and API: understood, or refused in a sentence."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.models import Run, RunTag
from jobs.run_search.fields import known_names
from jobs.run_search.language import QueryError
from jobs.run_search.listing import COLUMNS, RunFilter
from tests.jobs.runs import make_run

RUNS = reverse("jobs:runs")


def with_config(owner: User, name: str, *, method: str = "lora", **training: Any) -> Run:
    run = make_run(owner, name=name)
    run.config["training"] |= training
    run.config["tuning"]["name"] = method
    run.save()
    return run


@pytest.fixture
def three(alice: User) -> None:
    fast = with_config(alice, "fast one", learning_rate=1e-3)
    fast.metrics = {"loss": 1.5}
    fast.save()
    RunTag.objects.create(run=fast, name="best yet")
    slow = with_config(alice, "slow one", learning_rate=1e-5, seed=7, load_best_model_at_end=True)
    slow.metrics, slow.status, slow.notes = {"loss": None}, "failed", "ran out of memory"
    slow.save()
    with_config(alice, "default: two", method="full")


def found(client: Client, query: str) -> set[str]:
    answer = client.get("/api/v1/runs", {"query": query})
    assert answer.status_code == 200, answer.content
    names = {item["name"].split()[0] for item in answer.json()["items"]}
    page = client.get(RUNS, {"query": query}).text
    assert {name for name in ("fast", "slow", "default:") if f" · {name} " in page} == names
    return names


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"fast", "slow", "default:"}),
        ("one", {"fast", "slow"}),
        ("lr>1e-4", {"fast"}),
        ("lr>1e-6", {"fast", "slow", "default:"}),  # its method's own rate, where none is given
        ("training.learning_rate <= 1e-5", {"slow"}),
        ("learning_rate=1e-3 method:lora status:queued loss<2", {"fast"}),
        ("loss<2", {"fast"}),
        ("-loss<2", {"slow", "default:"}),
        ("loss!=1.5", {"slow", "default:"}),
        ("seed:7", {"slow"}),
        ("load_best_model_at_end:on", {"slow"}),
        ("method:full", {"default:"}),
        ("status:failed", {"slow"}),
        ("-status:failed one", {"fast"}),
        ('tag:"best yet"', {"fast"}),
        ("notes:memory", {"slow"}),
        ('"default: two"', {"default:"}),
        ("model:starter dataset:questions", {"fast", "slow", "default:"}),
        ("r<1", set()),
        ("owner:alice fast", {"fast"}),
    ],
)
def test_a_query_is_understood(
    alice_client: Client, three: None, query: str, names: set[str]
) -> None:
    assert found(alice_client, query) == names


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("learnin_rate>1", "Did you mean learning_rate?"),
        ("status:faild", "Did you mean failed?"),
        ("lr>fast", "“fast” at position 4 is not a number."),
        ("one method>3", "at position 5 compares numbers"),
        ('"open', "The quotation mark at position 1 is not closed."),
        ("lr>", "The search ends after “lr>”."),
        ("tag:x <4", "“<” at position 7 has no setting before it."),
        ("x" * 301, "300 are read"),
        ('lr>""', "is compared with nothing"),
    ],
)
def test_a_mistake_is_one_sentence(
    alice_client: Client, three: None, query: str, said: str
) -> None:
    page = alice_client.get(RUNS, {"query": query})
    assert page.status_code == 422
    assert escape(said) in page.text
    error = alice_client.get("/api/v1/runs", {"query": query})
    assert (error.status_code, error.json()["error"]["code"]) == (422, "query")


OPERATORS = ["-", '"', " ", ":", ">=", "<", "=", "!="]
VALUES = ["1e-4", "1e999", "nan", "lora", "9" * 30, "\0", "%", "'"]
TERMS = st.sampled_from(["lr", "r", "loss", "status", "id", "owner", *OPERATORS, *VALUES])


@given(text=st.text(max_size=40) | st.lists(TERMS, max_size=12).map("".join))
@settings(max_examples=150, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_any_text_is_understood_or_refused(alice: User, text: str) -> None:
    try:
        list(RunFilter(query=text).runs(alice))
    except QueryError as error:
        assert error.message.endswith(".")
        assert error.hint


def test_every_setting_and_every_column_reaches_the_database(alice: User, three: None) -> None:
    for name in known_names():
        if name not in {"", "status", "state", "method"}:
            list(RunFilter(query=f"{name}:1").runs(alice)[:1])
    for column in COLUMNS:
        up = [run.pk for run in RunFilter(sort=column).runs(alice)]
        down = [run.pk for run in RunFilter(sort=f"-{column}").runs(alice)]
        assert sorted(up) == sorted(down)


def test_sorting_puts_what_is_not_measured_last(alice: User, three: None) -> None:
    make_run(alice, name="slower", metrics={"loss": 7.0})
    for sort, names in (("loss", ["fast one", "slower"]), ("-loss", ["slower", "fast one"])):
        assert [run.name for run in RunFilter(sort=sort).runs(alice)][:2] == names


def test_owners_are_for_superusers(alice: User, bob: User, three: None) -> None:
    bob.is_superuser = True
    assert RunFilter(query="owner:ali fast").runs(bob).count() == 1
    assert RunFilter(query="fast").runs(bob).count() == 0
    bob.is_superuser = False
    assert RunFilter(query="owner:ali").runs(bob).count() == 0
