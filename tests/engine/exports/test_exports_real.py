"""Pretrained models leave the house whole, where the test data are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.exports import choose_export
from maxaillm.dev.finetune.exports.shared.export import export_model
from tests.real_data import TEST_DATA

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("stories260k", "gguf", {"type": "Q8_0"}),
    ("babyllama-361", "merged", {"dtype": "bfloat16"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "form", "options"), CASES)
def test_the_export_of_a_real_model(
    model: str, form: str, options: dict[str, Any], tmp_path: Path
) -> None:
    source = TEST_DATA / "models" / model
    if not source.is_dir():
        pytest.skip("needs the test data")
    manifest = export_model(choose_export(form, options), source, tmp_path / "out")
    parity = json.loads((tmp_path / "out" / "parity.json").read_bytes())
    assert manifest["license"] == "LICENSE"
    assert parity["max_logit_difference"] < 1e-4
    assert parity["tokens_equal"] == parity["tokens"]
    assert parity["rounding"]["tokens_equal"] > 0.9 * parity["tokens"]
