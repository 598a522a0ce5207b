"""What attacks have in common: two members, the owner of the site, a model, a caller with a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import LanguageModel
from maxft_site.web.models import ApiToken
from tests.jobs.runs import make_dataset
from tests.tiny import make_llama


@pytest.fixture(autouse=True)
def each_test_has_its_site(own_site: None) -> None: ...


@pytest.fixture
def llama_folder(tmp_path: Path) -> Path:
    return make_llama(tmp_path / "llama")


@pytest.fixture
def starter(db: None) -> LanguageModel:
    return LanguageModel.objects.create(name="starter/chat", kind="base")


def by_key(user: User, **options: Any) -> Client:
    """A program with a key of the user's."""
    key = ApiToken.issue(user, "test", **options)
    return Client(headers={"Authorization": f"Bearer {key}"})


def config_of(user: User, model: str = "starter/chat", **sections: Any) -> dict[str, Any]:
    """The body of a request for a run on the user's own data."""
    version = make_dataset(user, rows=1, format={"name": "messages"})
    data = {"dataset": version.dataset_id} | sections.pop("data", {})
    return {"model": {"name": model}, "data": data} | sections


def post(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(path, body or {}, content_type="application/json", headers=headers)
