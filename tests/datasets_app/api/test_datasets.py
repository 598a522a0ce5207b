"""The REST API of datasets, as a program uses it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from datasets_app.models import Dataset
from maxft_site.web.models import ApiToken
from tests.conftest import FakeQueue
from tests.datasets_app.conftest import QUESTIONS, Importer

pytestmark = pytest.mark.usefixtures("checked_here")

URL = "/api/v1/datasets"
EMPTY = "text,label\n"


@pytest.fixture
def api(client: Client, api_token: str) -> Client:
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {api_token}"
    return client


def post_file(client: Client, content: str, name: str = "q.jsonl", **extra: Any) -> Any:
    file = SimpleUploadedFile(name, content.encode())
    return client.post(URL, {"file": file, "name": "Questions"}, **extra)


def test_a_file_is_uploaded_checked_and_read(api: Client, queue: FakeQueue) -> None:
    made = post_file(api, QUESTIONS + "{oops\n")
    assert made.status_code == 201
    body = made.json()
    assert (body["name"], body["status"], body["version"]) == ("Questions", "checking", 1)
    queue.work()

    url = f"{URL}/{body['id']}"
    ready = api.get(url).json()
    assert (ready["status"], ready["rows"], ready["bad_rows"]) == ("ready", 25, 1)
    assert ready["format"]["name"] == "prompt_completion"
    assert ready["columns"] == ["prompt", "completion"]
    assert len(ready["sha256"]) == 64
    assert api.get(URL).json() == {"items": [ready], "total": 1}

    rows = api.get(f"{url}/rows", {"offset": 20, "limit": 3}).json()
    assert rows["total"] == 25
    assert [row["row"] for row in rows["items"]] == [21, 22, 23]
    assert rows["items"][0]["example"]["messages"][1]["content"] == "a21"

    findings = api.get(f"{url}/findings").json()
    assert findings["total"] == 1
    assert findings["items"][0].keys() >= {"row", "line", "code", "message", "snippet", "fix"}
    assert (findings["items"][0]["row"], findings["items"][0]["line"]) == (26, 26)


def test_a_mapping_is_given_and_its_mistakes_have_paths(api: Client, queue: FakeQueue) -> None:
    content = "question_text,reply_text\n" + "Why?,So.\nWho?,Me.\n" * 5
    url = f"{URL}/{post_file(api, content, 'a.csv').json()['id']}"
    queue.work()
    asked = api.get(url).json()
    assert asked["status"] == "needs_mapping"
    assert asked["error"].keys() == {"code", "message", "hint"}

    wrong = {"name": "prompt_completion", "prompt": "question", "completion": "reply_text"}
    refused = api.post(f"{url}/mapping", wrong, content_type="application/json")
    assert refused.status_code == 422
    (problem,) = refused.json()["errors"]
    assert (problem["path"], problem["value"]) == ("prompt", "question")
    assert "question_text" in problem["allowed"]

    right = wrong | {"prompt": "question_text"}
    assert api.post(f"{url}/mapping", right, content_type="application/json").status_code == 202
    queue.work()
    assert (api.get(url).json()["status"], api.get(url).json()["rows"]) == ("ready", 10)


def test_an_invalid_file_says_why(api: Client, queue: FakeQueue) -> None:
    url = f"{URL}/{post_file(api, EMPTY, 'a.csv').json()['id']}"
    queue.work()
    body = api.get(url).json()
    assert (body["status"], body["rows"], body["bad_rows"]) == ("invalid", 0, 0)
    assert "no rows" in body["error"]["message"]
    not_ready = api.get(f"{url}/rows")
    assert not_ready.status_code == 409
    assert not_ready.json()["error"]["hint"]


def test_a_repeated_request_makes_one_dataset(api: Client, queue: FakeQueue) -> None:
    headers = {"Idempotency-Key": "once"}
    first, again = (post_file(api, QUESTIONS, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert Dataset.objects.count() == 1


@pytest.mark.parametrize("path", ["", "/rows", "/findings", "/mapping"])
def test_not_yours_and_not_there_are_the_same_404(
    path: str, upload: Importer, bob: User, client: Client
) -> None:
    theirs = upload().dataset_id
    headers = {"Authorization": f"Bearer {ApiToken.issue(bob, 'tests')}"}
    answers = [
        client.post(f"{URL}/{pk}{path}", {}, content_type="application/json", headers=headers)
        if path == "/mapping"
        else client.get(f"{URL}/{pk}{path}", headers=headers)
        for pk in (theirs, 999_999)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()
    assert client.get(URL, headers=headers).json()["total"] == 0


def test_without_a_key_there_is_nothing(client: Client, upload: Importer) -> None:
    pk = upload().dataset_id
    for url in (URL, f"{URL}/{pk}", f"{URL}/{pk}/rows", f"{URL}/{pk}/findings"):
        assert client.get(url).status_code == 401
    assert post_file(client, QUESTIONS).status_code == 401
    assert Dataset.objects.count() == 1


def test_a_session_needs_the_csrf_token(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert post_file(client, QUESTIONS).status_code == 403
    assert not Dataset.objects.exists()


def test_rows_are_searched_and_changed(
    upload: Importer, alice_client: Client, bob_client: Client, queue: FakeQueue
) -> None:
    rows = "".join(f'{{"prompt": "q{i % 20}", "completion": "a{i % 20}"}}\n' for i in range(30))
    url = f"/api/v1/datasets/{upload(rows, 'a.jsonl').dataset_id}"
    found = alice_client.get(f"{url}/rows", {"words": "Q19"}).json()
    assert (found["total"], found["items"][0]["row"]) == (1, 20)
    flagged = alice_client.get(f"{url}/rows", {"code": "duplicate", "limit": 3}).json()
    assert (flagged["total"], [item["row"] for item in flagged["items"]]) == (10, [21, 22, 23])

    change = {"fixes": [{"name": "drop_rows"}], "codes": ["duplicate"]}
    assert post(bob_client, f"{url}/versions", change).status_code == 404
    assert post(alice_client, f"{url}/versions", {"fixes": [{"name": "no"}]}).status_code == 400
    assert post(alice_client, f"{url}/versions", change).status_code == 202
    queue.work()
    newest, first = alice_client.get(f"{url}/versions").json()["items"]
    assert (newest["rows"], newest["change"]) == (20, "Drop the rows: 10 left out")
    assert (first["rows"], first["recipe"]) == (30, None)


def post(client: Client, url: str, body: dict[str, Any]) -> Any:
    return client.post(url, json.dumps(body), content_type="application/json")


def test_findings_are_mended_by_their_own_fix(
    api: Client, alice_client: Client, queue: FakeQueue
) -> None:
    body = post_file(api, QUESTIONS + QUESTIONS).json()
    queue.work()
    url = f"{URL}/{body['id']}"
    made = api.post(f"{url}/fixes", {"codes": ["duplicate"]}, content_type="application/json")
    assert made.status_code == 201, made.text
    assert made.json()["version"] == 2
    queue.work()
    fixed = api.get(url).json()
    assert (fixed["rows"], fixed["status"]) == (25, "ready")
    for codes in (["no_such_code"], ["duplicate", "markup"]):
        wrong = api.post(f"{url}/fixes", {"codes": codes}, content_type="application/json")
        assert wrong.status_code == 422
        assert wrong.json()["errors"][0]["path"] == "codes"
