"""One set of real processes for all faults: whatever a fault has killed is started again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from tests.faults.farm import Farm, database
from tests.redis_server import running_redis


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/faults/" in item.nodeid:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(autouse=True)
def each_test_has_its_site(own_site: None) -> None: ...


@pytest.fixture(scope="session")
def processes(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("farm") / "data"
    folder.mkdir(mode=0o700)
    with running_redis() as redis, django_db_blocker.unblock():
        farm = Farm(folder, redis)
        with database(folder / "db.sqlite3"):
            call_command("migrate", verbosity=0)
        try:
            yield farm
        finally:
            farm.close()


def use_site(settings: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, redis_url: str) -> None:
    """Have the code of the tests work on the site's files and queues."""
    settings.DATA_DIR = folder
    settings.DATASETS_DIR = folder / "datasets"
    settings.RUNS_DIR = folder / "runs"
    for queue in settings.RQ_QUEUES.values():
        monkeypatch.setitem(queue, "URL", redis_url)


@pytest.fixture
def farm(
    processes: Farm,
    data_dir: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Farm]:
    """Watchdog and worker are up; the ORM works on their database."""
    use_site(settings, monkeypatch, processes.folder, processes.redis.url)
    with django_db_blocker.unblock(), database(processes.folder / "db.sqlite3"):
        processes.keep_up()
        yield processes


@pytest.fixture
def reference(farm: Farm) -> dict[int, float]:
    return farm.reference()
