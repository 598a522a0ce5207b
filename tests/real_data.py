"""A folder of real data files and small pretrained models; tests that want it skip without it."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEST_DATA = Path(os.environ.get("MAXFT_TEST_DATA") or ROOT.parent / "shared")
