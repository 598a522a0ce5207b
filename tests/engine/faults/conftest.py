"""Real processes of the engine, really killed."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/engine/faults/" in item.nodeid:
            item.add_marker(pytest.mark.faults)
