"""Damaged and hostile requests: a wrong host, numbers without end, guessed passwords, names in
which something is hidden, the admin's pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets_app.models import Dataset
from jobs.models import Deployment, Export, LanguageModel, Run
from maxft_site.web.limits import sign_in as limits
from maxft_site.web.models import ApiToken
from tests.jobs.runs import make_run
from tests.security.conftest import by_key, config_of, post

# --- Host


@pytest.mark.parametrize(
    "address", ["/", "/login/", "/healthz", "/api/v1/runs", "/v1/models", "/no"]
)
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "a b", "[", "x" * 300])
def test_a_host_of_others_is_a_400(client: Client, db: None, address: str, host: str) -> None:
    client.raise_request_exception = False
    answer = client.get(address, headers={"Host": host})
    assert answer.status_code == 400
    if address.startswith(("/api/", "/v1/")):
        assert answer.json()["error"]["hint"]


# --- Numbers

ODD = ["9" * 25, "9" * 5000, "-1", "٣", str(2**63), "1.5", "x", "²", "", " 1", "1e9", "0x1"]
PAGES = {
    "/datasets/": ("page", "deleted"),
    "/datasets/join/": ("page", "times-1", "times-" + "9" * 25),
    "/datasets/deleted/": ("page",),
    "/datasets/{dataset}/": ("page", "row", "v"),
    "/datasets/{dataset}/findings/": ("page", "v"),
    "/datasets/{dataset}/versions/": ("page", "v"),
    "/datasets/{dataset}/runs/": ("page", "v"),
    "/datasets/{dataset}/tokens/": ("row", "max_length", "v"),
    "/datasets/{dataset}/rows/whole/": ("row", "v"),
    "/datasets/{dataset}/rows/edit/": ("row", "v"),
    "/models/": ("page",),
    "/playground/": ("page", "model", "beside"),
    "/runs/": ("page", "dataset"),
    "/runs/new/": ("clone", "dataset", "model"),
    "/search/": ("q",),
}
"""Parameters of pages that are numbers."""


@pytest.mark.parametrize("address", PAGES)
def test_odd_numbers_of_pages_are_no_failure(
    alice: User, alice_client: Client, address: str
) -> None:
    run = make_run(alice)
    assert run.dataset
    address = address.format(dataset=run.dataset.dataset_id)
    answers = {
        (name, odd[:20]): alice_client.get(address, {name: odd}).status_code
        for name in PAGES[address.replace(str(run.dataset.dataset_id), "{dataset}")]
        for odd in ODD[:5]
    }
    assert {at: status for at, status in answers.items() if status >= 500} == {}


def numbers_of_the_api(script: Client) -> Iterator[tuple[str, str]]:
    """Address and name of every query parameter that is a number, by the API's description."""
    paths = script.get("/api/v1/openapi.json").json()["paths"]
    for path, verbs in paths.items():
        for parameter in verbs.get("get", {}).get("parameters", []):
            if parameter["in"] == "query" and parameter["schema"].get("type") == "integer":
                yield path, parameter["name"]


def test_odd_numbers_of_the_api_are_422(alice: User) -> None:
    run, script = make_run(alice), by_key(alice)
    assert run.dataset
    known = {"run_id": run.pk, "dataset_id": run.dataset.dataset_id, "row": 1}
    model = LanguageModel.objects.create(owner=alice, name="mine", kind="base")
    export = Export.objects.create(owner=alice, model=model, format="merged")
    deployment = Deployment.objects.create(owner=alice, name="live", model=model)
    known |= {"model_id": model.pk, "export_id": export.pk, "deployment_id": deployment.pk}
    found = list(numbers_of_the_api(script))
    assert {name for _, name in found} >= {"limit", "offset", "after", "max_points"}
    for path, name in found:
        address = re.sub(r"\{(\w+)\}", lambda match: str(known[match[1]]), path)
        for odd in ODD:
            status = script.get(address, {name: odd}).status_code
            assert status in {200, 422}, (address, name, odd)
        assert script.get(address, {name: "9" * 25}).status_code == 422, (address, name)


@pytest.mark.parametrize("number", ["9" * 25, "9" * 400, str(2**63)])
def test_odd_ids_are_not_there(alice: User, number: str) -> None:
    script = by_key(alice)
    for address in ("runs/{}", "runs/{}/events", "datasets/{}", "datasets/{}/rows", "models/{}"):
        answer = script.get(f"/api/v1/{address.format(number)}")
        assert answer.status_code == 404, address


# --- Passwords


def sign_in(client: Client, name: str, password: str, address: str = "10.0.0.1") -> int:
    typed = {"username": name, "password": password}
    return client.post("/login/", typed, REMOTE_ADDR=address).status_code


@pytest.fixture
def few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that are reached sooner."""
    monkeypatch.setattr(limits, "TRIES_FROM_AN_ADDRESS", 8)
    monkeypatch.setattr(limits, "TRIES_AT_AN_ACCOUNT", 12)


def test_wrong_tries_elsewhere_shut_nobody_out(alice: User) -> None:
    for number in range(31):
        sign_in(Client(), f"name{number}", "wrong", "10.0.2.1")
        if number < 20:
            sign_in(Client(), "alice", "wrong", f"10.0.1.{number % 4}")
    assert sign_in(Client(), "alice", "a long walk 1", "10.0.3.1") == 302


def test_a_browser_that_was_let_in_before_is_not_shut_out_by_its_neighbours(
    alice: User, few_tries: None
) -> None:
    known, unknown = Client(), Client()
    assert sign_in(known, "alice", "a long walk 1") == 302
    known.post("/logout/")
    for number in range(9):
        sign_in(Client(), f"name{number}", "wrong")
        sign_in(Client(), "alice", "wrong")
    assert sign_in(unknown, "alice", "a long walk 1") == 429
    assert sign_in(known, "alice", "a long walk 1") == 302


def test_a_known_browser_may_not_guess_either(alice: User, bob: User) -> None:
    known = Client()
    assert sign_in(known, "alice", "a long walk 1") == 302
    known.post("/logout/")
    assert [sign_in(known, "alice", "wrong") for _ in range(6)][-1] == 429
    # and for another account it is a stranger
    tries = [sign_in(known, "bob", "wrong", "10.0.0.9") for _ in range(6)]
    assert tries[-1] == 429
    assert sign_in(Client(), "bob", "a short walk 2", "10.0.0.9") == 429


def test_a_device_cookie_can_t_be_made_up(alice: User) -> None:
    client = Client()
    client.cookies["maxft_device"] = "AAAA alice:1abc:nonsense"
    assert [sign_in(client, "alice", "wrong") for _ in range(6)][-1] == 429


def test_an_account_can_t_be_guessed_from_many_addresses(alice: User, few_tries: None) -> None:
    tries = [sign_in(Client(), "alice", "wrong", f"10.1.{n // 3}.1") for n in range(15)]
    assert tries == [200] * 12 + [429] * 3


# --- Names

HIDDEN = "a\x00b\x1b[31mc\nd\u202ee\u200bf\u2066g\x85h\ud800i"


def test_nothing_is_hidden_in_names(alice: User, alice_client: Client, starter: object) -> None:
    answer = post(by_key(alice), "/api/v1/runs", config_of(alice, name=HIDDEN))
    assert answer.status_code == 201, answer.text
    made = Run.objects.get()
    assert made.name == answer.json()["name"] == made.config["name"] == "ab[31mc defg hi"
    alice_client.post("/datasets/new/", {"text": "a b c", "name": HIDDEN.replace("\ud800", "")})
    assert Dataset.objects.filter(owner=alice).last().name == "ab[31mc defg hi"
    words = {"name": "x\u202ey\tz", "scope": "write", "days": "0"}
    alice_client.post("/settings/keys/", words)
    assert ApiToken.objects.filter(name="xy z").exists()


def test_names_of_all_languages_stay_as_they_are(alice: User, starter: object) -> None:
    name = "می‌خواهم 👩‍👩‍👧 Größe 名前"
    answer = post(by_key(alice), "/api/v1/runs", config_of(alice, name=name))
    assert answer.json()["name"] == name


# --- Admin


def test_the_admin_has_the_same_policy_as_all_pages(ada: User, alice: User) -> None:
    client = Client()
    client.force_login(ada)
    for address in ("/admin/", "/admin/auth/user/", f"/admin/auth/user/{alice.pk}/change/"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert "unsafe" not in answer["Content-Security-Policy"]


def test_the_jobs_of_the_queue_are_nobodys_to_touch(ada: User, alice: User) -> None:
    alice.is_staff = True
    alice.save()
    for user in (alice, ada):
        client = Client()
        client.force_login(user)
        for rest in ("", "queues/0/", "stats.json", "queues/0/empty/", "workers/0/", "dashboard/"):
            answer = client.get(f"/admin/django_rq/{rest}")
            assert answer.status_code == 404, rest
            assert client.get(f"/admin/django_rq/dashboard/{rest}").status_code == 404, rest
