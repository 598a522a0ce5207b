"""What every test may ask for: users, clients, a data directory, a queue without Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils.module_loading import import_string
from rq.exceptions import DuplicateJobError
from rq.queue import Queue
from xdist.scheduler import LoadScopeScheduling


@pytest.fixture
def data_dir(tmp_path: Path, settings: Any) -> Path:
    """The site's data directory, new for each test."""
    folder = tmp_path / "data"
    folder.mkdir()
    settings.DATA_DIR = folder
    settings.DATASETS_DIR = folder / "datasets"
    settings.UPLOADS_DIR = folder / "uploads"
    settings.RUNS_DIR = folder / "runs"
    return folder


@pytest.fixture
def empty_cache() -> Iterator[None]:
    yield
    cache.clear()


TOGETHER = (
    tuple(f"tests/e2e/test_{name}" for name in ("data", "first_light", "run_form", "wheel")),
    ("tests/engine/faults/",),
    ("tests/jobs/api/test_openai",),
    ("tests/faults/test_killed", "tests/faults/test_stops"),
    ("tests/faults/test_outages", "tests/faults/test_site_killed"),
)
"""How paths begin of modules that one worker is to run, since they share costly processes."""


class Scheduler(LoadScopeScheduling):
    """One module a worker at a time, as `--dist loadscope`, but those of a group one by one."""

    def _split_scope(self, nodeid: str) -> str:
        group = next((group for group in TOGETHER if nodeid.startswith(group)), None)
        return group[0] if group else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler | None:
    return Scheduler(config, log) if config.getvalue("dist") == "loadscope" else None


def starts_processes(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("faults", "browser"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of real processes first: they wait much, and the others fill the gaps."""
    items.sort(key=lambda item: not starts_processes(item))


class QueuedJob(NamedTuple):
    """What was asked of a worker."""

    queue: str
    function: str
    args: tuple[Any, ...]
    job_id: str | None


class FakeQueue:
    """Keeps the jobs in a list; `work()` does them here and now."""

    def __init__(self) -> None:
        self.jobs: list[QueuedJob] = []

    def add(self, rq_queue: Queue, func: Any, args: Any = None, **options: Any) -> None:
        job_id = options.get("job_id")
        if options.get("unique") and job_id in {job.job_id for job in self.jobs}:
            raise DuplicateJobError(f"{job_id} is queued already")
        self.jobs.append(QueuedJob(rq_queue.name, str(func), tuple(args or ()), job_id))

    def work(self) -> None:
        """Run what is queued, and what that queues in turn, in order."""
        while self.jobs:
            job = self.jobs.pop(0)
            import_string(job.function)(*job.args)


@pytest.fixture
def queue(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FakeQueue:
    """Stands in for Redis, but in tests of real processes (`faults`, `browser`)."""
    fake = FakeQueue()
    if not starts_processes(request.node):
        monkeypatch.setattr(
            Queue,
            "enqueue_call",
            lambda self, func, args=None, *_, **kw: fake.add(self, func, args, **kw),
        )
    return fake


@pytest.fixture
def own_site(data_dir: Path, empty_cache: None, queue: FakeQueue) -> None:
    """A site of its own for each test; the site's folders make it their rule."""


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", password="a long walk 1")


@pytest.fixture
def bob(db: None) -> User:
    """The outsider."""
    return User.objects.create_user("bob", password="a short walk 2")


@pytest.fixture
def ada(db: None) -> User:
    """The superuser."""
    return User.objects.create_superuser("ada", password="first light 1")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def alice_client(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def bob_client(bob: User) -> Client:
    return signed_in(bob)


@pytest.fixture
def api_token(alice: User) -> str:
    """A key to the API that is Alice's."""
    from maxft_site.web.models import ApiToken

    return ApiToken.issue(alice, "tests")
