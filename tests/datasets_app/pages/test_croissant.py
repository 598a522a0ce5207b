"""Croissant: what the description says is what is downloaded."""

from __future__ import annotations

import json
from hashlib import sha256

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.downloads import whole
from tests.jobs.runs import make_dataset
from tests.stored_rows import stored_rows


def test_the_description_names_the_rows_that_are_downloaded(
    alice_client: Client, bob_client: Client, alice: User
) -> None:
    rows = [{"text": "a", "label": "x"}, {"text": "Grüße", "label": "y"}]
    version = make_dataset(alice, rows=2, rows_sha256=stored_rows(rows))
    address = reverse("datasets:croissant", args=[version.dataset_id])
    answer = alice_client.get(address)
    assert answer["Content-Type"] == "application/ld+json"
    told = json.loads(answer.content)
    by_api = alice_client.get(f"/api/v1/datasets/{version.dataset_id}/croissant.json")
    assert json.loads(by_api.content) == told
    lines = whole(alice_client.get(reverse("datasets:rows-jsonl", args=[version.dataset_id])))
    (file,) = told["distribution"]
    assert file["sha256"] == sha256(lines).hexdigest()
    assert file["contentSize"] == f"{len(lines)} B"
    fields = {field["name"]: field["dataType"] for field in told["recordSet"][0]["field"]}
    assert fields.keys() == json.loads(lines.splitlines()[0]).keys()
    assert fields["text"] == "sc:Text"
    assert bob_client.get(address).status_code == 404


def test_messages_are_lists_of_roles_and_contents(alice_client: Client, alice: User) -> None:
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    version = make_dataset(alice, rows=1, rows_sha256=stored_rows([{"messages": turns}]))
    answer = alice_client.get(reverse("datasets:croissant", args=[version.dataset_id]))
    fields = {field["name"]: field for field in json.loads(answer.content)["recordSet"][0]["field"]}
    parts = {part["name"]: part for part in fields["messages"]["subField"]}
    assert parts.keys() == {"records/messages/role", "records/messages/content"}
    assert parts["records/messages/role"]["source"]["transform"] == {"jsonPath": "$[*].role"}
    assert all(part["repeated"] for part in parts.values())
