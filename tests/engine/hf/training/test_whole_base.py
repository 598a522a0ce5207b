"""An adapter is tuned further: merged with its base first, which the run is compared with."""

from __future__ import annotations

from pathlib import Path

import pytest

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.model.opening import open_model
from maxaillm.model.sampling import SamplingOptions
from tests.engine.conftest import Train

QUICK = {"max_steps": 6, "learning_rate": 1e-2}
GREEDY = SamplingOptions(temperature=0, max_new_tokens=8)


def test_an_adapter_goes_on(llama: Path, train: Train, tmp_path: Path) -> None:
    """Three runs, each on what the one before made; each opens by itself."""
    before = train(llama, "first", training=QUICK)
    for earlier, name in (("first", "second"), ("second", "third")):
        events = train(tmp_path / earlier / "model", name, training=QUICK)
        at_first = next(e for e in events if e.kind == "eval" and e.step == 0)
        ended = [e for e in before if e.kind == "eval"][-1]
        assert at_first.data["eval_loss"] == pytest.approx(ended.data["eval_loss"], rel=0.02)
        assert [event.data for event in events if event.kind == "merged"] == [{"adapter": "model"}]
        opened = open_model(tmp_path / name / "model")
        assert isinstance("".join(opened.stream("What?", GREEDY)), str)
        before = events


def test_an_adapter_that_is_no_part_of_weights_is_refused(
    llama: Path, train: Train, tmp_path: Path
) -> None:
    train(llama, "first", tuning={"name": "prompt_tuning"})
    with pytest.raises(ModelError, match="can't be merged with its base"):
        train(tmp_path / "first" / "model", "second")
