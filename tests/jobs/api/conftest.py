"""One real server for all tests of what OpenAI's clients speak."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served_api import ServedApi, served_api


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory, llama_folder: Path) -> Iterator[ServedApi]:
    with served_api(tmp_path_factory.mktemp("site"), llama_folder) as api:
        yield api
