"""The page that compares runs, its files and its API."""

import csv
import html
import re
from pathlib import Path

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.models import Run
from maxaillm.dev.finetune.run.row_scores import RowScores
from tests.jobs.pages import trained
from tests.jobs.runs import make_run

COMPARE = reverse("jobs:compare")
ROWS = 200


def scored(
    run: Run, right: float, *, tokens: str = "t", examples: object = 1, **metrics: object
) -> Run:
    """A run whose first rows, as many as `right` says, are right; its losses fall with it."""
    hits = np.arange(ROWS) < right * ROWS
    losses = np.stack([(2 - right) * (5 + np.arange(ROWS) % 7), 5 + np.arange(ROWS) % 7], axis=1)
    by_metric = {"eval_loss": losses, "accuracy": np.stack([hits, np.ones(ROWS)], axis=1)}
    path = run.attempt_folder(run.attempt).row_scores
    path.parent.mkdir(parents=True, exist_ok=True)
    word = np.frombuffer(tokens.encode(), dtype=np.uint8)
    RowScores.of(by_metric, np.full(ROWS, examples), word).write(path)
    run.metrics |= {"eval_loss": 2 - right, "accuracy": right, **metrics}
    run.save()
    return run


@pytest.fixture
def pair(alice: User) -> tuple[Run, Run]:
    first, second = trained(alice), trained(alice)
    second.dataset = first.dataset
    second.config["tuning"]["r"] = 32
    second.save()
    return scored(first, 0.5), scored(second, 0.75)


def page(client: Client, *runs: object, **more: object) -> str:
    answer = client.get(COMPARE, {"run": [getattr(run, "pk", run) for run in runs], **more})
    assert answer.status_code == 200
    return answer.text


def api(client: Client, *runs: Run, **more: object) -> dict:
    ids = ",".join(str(run.pk) for run in runs)
    return client.get("/api/v1/runs/compare", {"ids": ids, **more}).json()


def test_the_page_has_all_of_it(alice_client: Client, pair: tuple[Run, Run]) -> None:
    first, second = pair
    text = page(alice_client, *pair)
    assert "2 runs compared" in text
    assert "tuned says" in text  # the answers, beside what the base model said
    assert "base says" in text
    assert 'data-chart="eval_loss"' in text
    assert text.count("differs") > 0
    assert "Same held-out rows" in text
    assert f"?run={first.pk}&amp;run={second.pk}&amp;baseline={second.pk}" in text  # pin


def test_differences_alone(alice_client: Client, pair: tuple[Run, Run]) -> None:
    first, second = pair
    (rank,) = api(alice_client, *pair)["differences"]
    assert rank["path"] == "tuning.r"
    assert rank["values"] == {str(first.pk): "8", str(second.pk): "32"}


def test_differences_are_paired_and_turn_with_the_baseline(
    alice_client: Client, pair: tuple[Run, Run]
) -> None:
    first, second = pair
    loss, _, accuracy = api(alice_client, *pair)["metrics"]
    assert (loss["name"], accuracy["name"]) == ("eval_loss", "accuracy")
    found = accuracy["values"][str(second.pk)]["difference"]
    assert found["value"] == pytest.approx(0.25)
    assert (found["rows"], found["meaning"]) == (ROWS, "better")
    low, high = found["interval"]
    assert 0 < low < 0.25 < high  # 50 rows won, none lost: paired, far from nought
    assert accuracy["values"][str(first.pk)]["difference"] is None
    fallen = loss["values"][str(second.pk)]["difference"]
    assert (fallen["value"], fallen["meaning"]) == (pytest.approx(-0.25), "better")
    assert fallen["interval"][0] <= fallen["value"] <= fallen["interval"][1]
    *_, turned = api(alice_client, *pair, baseline=second.pk)["metrics"]
    assert turned["values"][str(first.pk)]["difference"]["meaning"] == "worse"


def test_other_rows_are_not_paired(
    alice_client: Client, alice: User, pair: tuple[Run, Run]
) -> None:
    _, second = pair
    scored(second, 0.75, tokens="of another tokenizer")
    loss, _, accuracy = api(alice_client, *pair)["metrics"]
    assert loss["values"][str(second.pk)]["difference"] is None  # other tokens: no common measure
    assert accuracy["values"][str(second.pk)]["difference"]["meaning"] == "better"
    scored(second, 0.75, tokens="o", examples=2)
    for metric in api(alice_client, *pair)["metrics"]:
        assert metric["values"][str(second.pk)]["why"] == "not on the same rows"
    assert "Not the same held-out rows" in page(alice_client, *pair)
    path: Path = second.attempt_folder(second.attempt).row_scores
    path.write_bytes(b"PK no archive")
    assert "Not the same held-out rows" in page(alice_client, *pair)


def test_runs_that_would_settle_it_are_offered(
    alice_client: Client, alice: User, pair: tuple[Run, Run]
) -> None:
    first, second = pair
    assert (f"clone={second.pk}&training.seed=43", ["Seed"]) in offers(alice_client, *pair)
    second.config["training"]["learning_rate"] = 0.003
    second.save()
    changed = [f"clone={first.pk}&training.learning_rate=0.003", f"clone={first.pk}&tuning.r=32"]
    assert dict(offers(alice_client, *pair)) == dict(
        zip(changed, (["Learning rate"], ["Rank"]), strict=True)
    )
    scored(second, 0.75, tokens="o", examples=2)
    same, *_ = offers(alice_client, *pair)
    assert same[0].startswith(f"clone={second.pk}&data.dataset={first.config['data']['dataset']}")
    alice.is_superuser = True
    alice.save()
    others = make_run(User.objects.create_user("carol"))
    assert offers(alice_client, first, others) == []


def offers(client: Client, *runs: Run) -> list[tuple[str, list[str]]]:
    """What is offered beside the question of fairness, and what each form would change."""
    text = page(client, *runs)
    aside = text[text.index("Is it a fair comparison?") :]
    found = re.findall(r'href="([^"]*)\?(clone=[^"]*)"', aside)
    asked = [(path, html.unescape(query)) for path, query in found]
    shown = [client.get(f"{path}?{query}").context["clone"] for path, query in asked]
    return [
        (query, [change.label for change in clone.changes])
        for (_, query), clone in zip(asked, shown, strict=True)
    ]


def test_sorted_by_a_metric(alice_client: Client, pair: tuple[Run, Run]) -> None:
    first, second = pair
    address = f"{reverse('jobs:compare-csv')}?run={first.pk}&run={second.pk}"
    for sort, order in (("accuracy", pair[::-1]), ("-accuracy", pair), ("eval_loss", pair[::-1])):
        rows = list(csv.DictReader(alice_client.get(f"{address}&sort={sort}").text.splitlines()))
        runs = [row["run"] for row in rows if row["metric"] == "accuracy"]
        assert runs == [str(run.pk) for run in order]
    assert rows[0]["value"] == "1.25"


def test_what_is_gone_is_said_and_the_rest_shown(
    alice_client: Client, alice: User, bob: User, pair: tuple[Run, Run]
) -> None:
    first, second = pair
    others = make_run(bob)
    text = page(alice_client, *pair, others, 10**9, "x", baseline=others.pk)
    assert f"Run {others.pk} is not there: it was deleted, or it isn&#x27;t yours." in text
    assert f"Run {10**9} is not there" in text
    assert "“x” is no number of a run." in text
    assert f"The baseline {others.pk} is not among them; {first.pk} is taken." in text
    assert "2 runs compared" in text
    second.status = "succeeded"
    second.save()
    alice_client.post(reverse("jobs:run-delete", args=[second.pk]))
    text = page(alice_client, *pair)
    assert f"Run {second.pk} is not there" in text
    assert "Two runs make a comparison" in text
    many = page(alice_client, *(make_run(alice) for _ in range(11)))
    assert "11 runs were asked for; 10 fit, the first are shown." in many


@pytest.mark.parametrize("query", ["", "run=", "run=1&x=%27&scale=&smoothing=nan&sample=-1&sort=y"])
def test_an_odd_address_is_no_mistake(
    alice_client: Client, pair: tuple[Run, Run], query: str
) -> None:
    assert alice_client.get(f"{COMPARE}?{query}").status_code == 200
    runs = "&".join(f"run={run.pk}" for run in pair)
    assert alice_client.get(f"{COMPARE}?{runs}&{query}").status_code == 200


def test_a_line_for_each_run(alice_client: Client, pair: tuple[Run, Run]) -> None:
    query = {"run": [run.pk for run in pair]}
    figure = alice_client.get(reverse("jobs:compare-chart", args=["loss"]), query).json()
    assert [line["name"] for line in figure["data"]] == [str(run.pk) for run in pair]
    assert [line["y"] for line in figure["data"]] == [[3 / step for step in range(1, 7)]] * 2
    assert len({(line["line"]["color"], line["line"]["dash"]) for line in figure["data"]}) == 2
    text = alice_client.get(reverse("jobs:compare-chart-csv", args=["loss"]), query).text
    assert len(text.splitlines()) == 1 + 2 * 6


def test_the_list_leads_there(alice_client: Client, pair: tuple[Run, Run]) -> None:
    data = {"run": [run.pk for run in pair], "verb": "compare"}
    answer = alice_client.post(reverse("jobs:runs-selected"), data)
    assert answer["Location"] == f"{COMPARE}?run={pair[0].pk}&run={pair[1].pk}"
