"""What the process that fetches from the Hub can't be brought to do: burst, hang its worker."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from time import sleep
from typing import Any

import psutil
import pytest
from django.contrib.auth.models import User

from datasets_app.hub import parent
from datasets_app.hub.child import MAX_OFFERED, offer_of
from datasets_app.hub.files import Fetching
from datasets_app.services import import_from_hub
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hub.repositories import HubSplit, Subset
from tests.conftest import FakeQueue

DIES_WITH_A_PLAN = """
import sys
sys.stdin.readline()
print('{"plan": {"size_bytes": 1}}', flush=True)
"""


def test_a_file_may_be_larger_than_old_archives_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1_000)  # as it is, 2 GiB
    part, whole = tmp_path / "part", tmp_path / "whole.zip"
    part.write_bytes(b"a row\n" * 1_000)
    with zipfile.ZipFile(whole, "w") as archive:
        Fetching("ada/chats", "0" * 40, tmp_path, 10_000).add_part(archive, part, "train/0.txt")
    with zipfile.ZipFile(whole) as archive:
        assert archive.read("train/0.txt") == part.read_bytes()


def test_more_splits_than_can_be_shown_are_refused() -> None:
    splits = tuple(HubSplit(f"s{number}", ()) for number in range(MAX_OFFERED // 2 + 1))
    assert len(offer_of("ada/chats", [Subset("one", splits)])) == 1
    with pytest.raises(DataError, match="2 subsets"):
        offer_of("ada/chats", [Subset("one", splits), Subset("two", splits)])


def test_what_databases_refuse_is_not_stored(alice: User, queue: FakeQueue) -> None:
    asked: dict[str, Any] = {"subset": "a\0", "splits": {"b\0": "train"}}
    origin = import_from_hub(owner=alice, hub="ada/chats", **asked).origin or {}
    assert (origin["subset"], origin["splits"]) == ("a␀", {"b␀": "train"})


class Patient:
    """Goes on once the child is dead."""

    def listing(self, _: object) -> None: ...

    def plan(self, _: object) -> None:
        # Servers of other tests may run beside it: it is the newest.
        child = max(psutil.Process().children(), key=psutil.Process.create_time)
        while child.status() != psutil.STATUS_ZOMBIE:
            sleep(0.01)

    def progress(self, _: int) -> bool:
        return True


def test_a_child_that_dies_with_its_plan_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "COMMAND", [sys.executable, "-c", DIES_WITH_A_PLAN])
    task: dict[str, Any] = {"hub": "ada/chats", "max_bytes": 1}
    fetched = parent.fetch_from_hub(task, Patient())
    assert fetched is not None and fetched.error is not None
    assert fetched.error["code"] == "hub_killed"
