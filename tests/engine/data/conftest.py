"""Tests of data train nothing."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def libraries() -> None:
    """None of the libraries that a run needs are loaded here."""
