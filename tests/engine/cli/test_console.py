"""What a person sees on a terminal."""

from __future__ import annotations

import io

from maxaillm.dev.finetune.cli.console import ProgressLine
from maxaillm.dev.finetune.run.events import Event


def test_a_line_moves_with_the_steps_and_events_stay() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    line(Event(seq=1, kind="stage", time=0, data={"name": "train", "total_steps": 9}))
    line(Event(seq=2, kind="log", step=3, time=0, data={"loss": 1.5, "tokens_per_second": 2e3}))
    line(Event(seq=3, kind="log", step=4, time=0, data={"loss": None, "not_finite": ["loss"]}))
    line(Event(seq=4, kind="saved", time=0, data={"folder": "model"}))
    shown = stream.getvalue()
    assert "step 3/9  loss 1.5  2,000 tokens/s" in shown
    assert "step 4/9  loss None" in shown
    assert shown.endswith("saved  folder model\n")
