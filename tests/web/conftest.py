"""Each test of what the apps share has a site of its own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def each_test_has_its_site(own_site: None) -> None: ...
