"""Memory that runs out inside a step costs time, never the run, and never changes the gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaModel

from maxaillm.dev.finetune.errors import OutOfMemoryError
from maxaillm.dev.finetune.run.checkpoints import Checkpoint
from maxaillm.dev.finetune.run.events import Event, read_journal
from tests.engine.conftest import Train, losses

STEPS = {
    "max_steps": 5,
    "per_device_train_batch_size": 6,
    "gradient_accumulation_steps": 2,
    "save_steps": 2,
}
SECTIONS: dict[str, Any] = {"training": STEPS, "tuning": {"name": "full"}}


def fits(monkeypatch: pytest.MonkeyPatch, rows: int, *, kept: bool = True) -> None:
    """Let a model compute so many rows at once; none, where activations are `kept`."""
    forward = LlamaModel.forward

    def limited(self: LlamaModel, input_ids: Any = None, **inputs: Any) -> Any:
        needs_room = self.training and not (self.is_gradient_checkpointing and not kept)
        if needs_room and (len(input_ids) > rows or not kept):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(self, input_ids, **inputs)

    monkeypatch.setattr(LlamaModel, "forward", limited)


def warnings(events: list[Event]) -> list[str]:
    return [str(event.data["message"]) for event in events if event.kind == "warning"]


@pytest.mark.parametrize(("rows", "packing"), [(3, False), (2, True), (1, False)])
def test_smaller_pieces_give_the_same_curve(
    llama: Path, train: Train, monkeypatch: pytest.MonkeyPatch, rows: int, packing: bool
) -> None:
    sections = SECTIONS | {"data": {"packing": packing}}
    roomy = train(llama, "roomy", **sections)
    fits(monkeypatch, rows)
    cramped = train(llama, "cramped", **sections)

    assert list(losses(cramped)) == list(losses(roomy)) == [1, 2, 3, 4, 5]
    assert list(losses(cramped).values()) == pytest.approx(list(losses(roomy).values()), abs=1e-6)
    tokens = [[e.data["tokens"] for e in run if e.kind == "log"] for run in (roomy, cramped)]
    assert tokens[0] == tokens[1]
    assert any("at once" in message for message in warnings(cramped))
    told = [event.data.get("sequences_at_once") for event in cramped if event.kind == "log"]
    assert told == [rows if rows < 3 else 3] * 5


def test_a_step_torn_in_its_second_batch_is_gathered_anew(
    llama: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory runs out in the backward pass, after some gradients were added already."""
    sections = SECTIONS | {"data": {"validation_share": 0.05}}  # whole batches in every step
    roomy = train(llama, "roomy", **sections)
    backward, calls = torch.Tensor.backward, []

    def torn(self: torch.Tensor, *args: Any, **kwargs: Any) -> None:
        calls.append(self)
        backward(self, *args, **kwargs)
        if len(calls) == 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch.Tensor, "backward", torn)
    cramped = train(llama, "cramped", **sections)
    assert list(losses(cramped).values()) == pytest.approx(list(losses(roomy).values()), abs=1e-6)
    told = [event.data.get("sequences_at_once") for event in cramped if event.kind == "log"]
    assert told == [None, 3, 3, 3, 3]


def test_then_activations_are_computed_again(
    llama: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = train(llama, "roomy", **SECTIONS)
    fits(monkeypatch, 1, kept=False)
    cramped = train(llama, "cramped", **SECTIONS)
    assert list(losses(cramped).values()) == pytest.approx(list(losses(roomy).values()), abs=1e-6)
    assert "computed again" in warnings(cramped)[-1]


def test_at_last_it_says_what_would_fit(
    llama: Path, train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fits(monkeypatch, 0)
    with pytest.raises(OutOfMemoryError) as caught:
        train(llama, **SECTIONS, data={"max_length": 512})
    assert "max_length to 256" in caught.value.hint
    events = list(read_journal(tmp_path / "run" / "events.jsonl"))
    assert "1 at once" in warnings(events)[-2]
    assert "computed again" in warnings(events)[-1]
    assert events[-1].data["code"] == "out_of_memory"


def test_a_cramped_run_resumes(
    llama: Path, train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fits(monkeypatch, 2)
    whole = train(llama, "whole", **SECTIONS)
    checkpoint = Checkpoint.read(tmp_path / "whole" / "checkpoints" / "step-0000004")
    resumed = train(llama, "second", checkpoint, **SECTIONS)
    assert losses(resumed) == pytest.approx({5: losses(whole)[5]}, abs=1e-6)
