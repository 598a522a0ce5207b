"""A pretrained model really learns: measured on real text, where the test data are at hand."""

from __future__ import annotations

import pytest

from tests.engine.conftest import Train
from tests.real_data import TEST_DATA

MODEL = TEST_DATA / "models" / "stories260k"
TALES = TEST_DATA / "data" / "text" / "grimms_fairy_tales.txt"


@pytest.mark.slow
@pytest.mark.skipif(not (MODEL.is_dir() and TALES.is_file()), reason="needs the test data")
@pytest.mark.parametrize(
    ("method", "learning_rate", "target"), [("full", 1e-3, 11.0), ("lora", 3e-3, 15.0)]
)
def test_perplexity_on_fairy_tales_falls(
    train: Train, method: str, learning_rate: float, target: float
) -> None:
    """60 steps of 8 sequences of 256 tokens: from about 22 to below the target."""
    events = train(
        MODEL,
        data={"train_file": str(TALES), "max_length": 256, "validation_share": 0.02},
        training={
            "max_steps": 60,
            "per_device_train_batch_size": 8,
            "learning_rate": learning_rate,
            "eval_steps": 30,
            "save_steps": 1000,
        },
        tuning={"name": method},
    )
    last = [event for event in events if event.kind == "eval"][-1]
    assert float(str(last.data["perplexity"])) < target
