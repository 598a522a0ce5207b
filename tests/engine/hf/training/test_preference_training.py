"""Preference runs: they teach what they are to teach, and are runs like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError, DataError
from maxaillm.dev.finetune.losses.kto import KTO
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.run.checkpoints import Checkpoint
from maxaillm.dev.finetune.run.events import Event
from maxaillm.model.llm import MaxHuggingFaceLLM
from tests import tiny
from tests.engine.conftest import Train, losses
from tests.preferences import judged, pairs

ROWS = {"dpo": pairs, "orpo": pairs, "kto": judged}
WEIGHTS = {"lora": "adapter_model.safetensors", "full": "model.safetensors"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("preferences")
    return {
        rows.__name__: tiny.write_lines(folder / f"{rows.__name__}.jsonl", rows(48))
        for rows in (pairs, judged)
    }


@pytest.fixture
def tune(train: Train, llama: Path, files: dict[str, Path]) -> Any:
    """A run with the loss, on the rows that it is for."""

    def run(loss: str, folder: str = "run", resume: Any = None, /, **sections: Any) -> list[Event]:
        data = {"train_file": str(files[ROWS[loss].__name__]), **sections.pop("data", {})}
        training = {"loss": {"name": loss}, **sections.pop("training", {})}
        return train(llama, folder, resume, data=data, training=training, **sections)

    return run


@pytest.mark.parametrize("loss", ROWS)
def test_the_better_answers_win(tune: Any, loss: str) -> None:
    training = {"max_steps": 60, "per_device_train_batch_size": 4, "learning_rate": 5e-3}
    events = tune(loss, training=training | {"eval_steps": 60}, data={"validation_share": 0.3})
    scores = {event.step: event.data for event in events if event.kind == "eval"}
    assert 0.25 <= scores[0]["preferred"] <= 0.75
    assert scores[60]["preferred"] > 0.9
    assert scores[60]["eval_loss"] < scores[0]["eval_loss"]
    if loss == "dpo":
        assert scores[0]["eval_loss"] == pytest.approx(0.6931472, abs=1e-6)
    if loss == "kto":
        assert (scores[0]["eval_loss"], scores[0]["preferred"]) == (0.5, 0.5)


def test_tells_what_every_run_tells_and_its_rewards(tune: Any) -> None:
    prompts = {"sample_prompts": ["What is red?"], "max_new_tokens": 3}
    events = tune("dpo", training={"eval_steps": 2, "save_steps": 2}, evaluation=prompts)
    stages = [event.data["name"] for event in events if event.kind == "stage"]
    assert stages == ["load", "tokenise", "train", "evaluate", "save"]
    for kind in ("eval", "sample"):
        assert [event.step for event in events if event.kind == kind] == [0, 2, 4]
    logs = [event.data for event in events if event.kind == "log"]
    assert len(logs) == 4
    assert set(logs[-1]) == {
        "loss", "learning_rate", "grad_norm", "epoch", "tokens", "tokens_per_second",
        "memory_bytes", "reward_accuracy", "reward_margin", "reward_chosen", "reward_rejected",
    }  # fmt: skip
    assert [event.kind for event in events][-2:] == ["saved", "succeeded"]


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("loss", ROWS)
def test_interrupted_run_goes_on_bit_for_bit(
    tune: Any, tmp_path: Path, loss: str, method: str
) -> None:
    options: dict[str, Any] = {
        "tuning": {"name": method},
        "training": {"save_steps": 2, "learning_rate": 1e-2},
        "data": {"validation_share": 0.5},
    }
    unbroken = tune(loss, "unbroken", **options)
    halfway = Checkpoint.read(tmp_path / "unbroken" / "checkpoints" / "step-0000002")
    resumed = tune(loss, "resumed", halfway, **options)
    assert losses(resumed) == {step: losses(unbroken)[step] for step in (3, 4)}
    for measure in ("eval_loss", "preferred"):
        figures = [run[-1].data["metrics"][measure] for run in (unbroken, resumed)]
        assert figures[0] == figures[1]
    first, second = (
        load_file(tmp_path / name / "model" / WEIGHTS[method]) for name in ("unbroken", "resumed")
    )
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)


@pytest.mark.parametrize("loss", ROWS)
def test_accumulated_batches_are_one_large_batch(tune: Any, tmp_path: Path, loss: str) -> None:
    """With KTO in the first step: later, each batch measures by itself how far the model moved."""
    common = {"max_steps": 1, "max_grad_norm": 1000, "learning_rate": 1e-3}
    divided = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    tune(loss, "whole", training=common | {"per_device_train_batch_size": 8})
    tune(loss, "parts", training=common | divided)
    whole, parts = (
        load_file(tmp_path / name / "model" / WEIGHTS["lora"]) for name in ("whole", "parts")
    )
    for name in whole:
        assert whole[name].allclose(parts[name], rtol=1e-3, atol=2e-6), name


def test_computing_activations_again_changes_nothing(tune: Any) -> None:
    again = {"gradient_checkpointing": True}
    kept, computed = (
        tune("dpo", name, model=options) for name, options in (("a", {}), ("b", again))
    )
    assert losses(kept) == pytest.approx(losses(computed), rel=1e-5)


SOON = {"full", "lora", "adalora", "oft"}
"""Methods that are tried each time; the others are where the `slow` tests are."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in SOON else [pytest.mark.slow])
        for name, method in methods.items()
        if "preference" in method.tasks
    ],
)
def test_every_method_learns_preferences(tune: Any, tmp_path: Path, name: str) -> None:
    """An adapter stays alone: the reference is neither a second one nor in the saved folder."""
    tune("dpo", tuning={"name": name}, training={"max_steps": 2, "save_steps": 1})
    model = tmp_path / "run" / "model"
    assert not [path for path in model.iterdir() if path.is_dir()]
    assert (model / "chat_template.jinja").is_file()
    llm = MaxHuggingFaceLLM(model, device="cpu")
    assert isinstance(llm.generate("What is red?", max_new_tokens=2, do_sample=False), str)


def test_methods_with_virtual_tokens_are_refused(tune: Any) -> None:
    with pytest.raises(ConfigError, match="does not serve preference"):
        tune("dpo", tuning={"name": "prompt_tuning"})


def test_pairs_can_be_judged_one_by_one(train: Train, llama: Path, files: Any) -> None:
    training = {"loss": {"name": "kto"}, "max_steps": 2}
    data = {"train_file": str(files["pairs"]), "validation_share": 0.25}
    events = train(llama, training=training, data=data)
    scores = [event.data for event in events if event.kind == "eval"]
    assert scores[0]["eval_loss"] == 0.5
    assert scores[0]["rows"] == 12


@pytest.mark.parametrize(("rows", "expected"), [("pairs", "DPO"), ("judged", "KTO")])
def test_the_data_chooses_the_task_and_the_loss(
    train: Train, llama: Path, files: Any, rows: str, expected: str
) -> None:
    events = train(llama, data={"train_file": str(files[rows])}, training={"max_steps": 1})
    first = next(event.data for event in events if event.kind == "log")
    assert ("kl" in first) == (expected == "KTO")


@pytest.mark.parametrize(
    ("rows", "training", "message"),
    [
        ("judged", {"loss": {"name": "dpo"}}, "on unpaired preferences"),
        ("judged", {"loss": {"name": "orpo"}}, "on unpaired preferences"),
        ("pairs", {"loss": {"name": "cross_entropy"}}, "does not serve preference"),
        ("judged", {"per_device_train_batch_size": 1}, "two rows"),
    ],
)
def test_a_loss_that_does_not_suit_the_rows_is_refused_at_once(
    train: Train, llama: Path, files: Any, rows: str, training: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(llama, data={"train_file": str(files[rows])}, training=training)


def test_other_tasks_refuse_preference_losses(train: Train, llama: Path) -> None:
    with pytest.raises(ConfigError, match="does not serve causal_lm"):
        train(llama, training={"loss": {"name": "dpo"}})


def test_conversations_are_no_preferences(train: Train, llama: Path) -> None:
    with pytest.raises((ConfigError, DataError)):
        train(llama, task="preference")


@pytest.mark.parametrize(
    "loss", [{"label_smoothing": 0.1}, {"loss_type": "exo_pair"}, {"beta": 0}, {"loss_type": "x"}]
)
def test_options_that_would_do_nothing_are_refused(loss: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        RunConfig.parse({"model": {"name": "m"}, "training": {"loss": {"name": "dpo", **loss}}})


@pytest.mark.parametrize(("method", "rate"), [("full", 5e-6), ("lora", 2e-5)])
def test_preferences_are_learned_in_small_steps(method: str, rate: float) -> None:
    options = {"model": {"name": "m"}, "tuning": {"name": method}, "task": "preference"}
    assert RunConfig.parse(options).learning_rate == pytest.approx(rate)


def test_nothing_is_sent_or_written_on_the_side(
    tune: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl.trainer import base_trainer

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("telemetry")

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(base_trainer, "send_telemetry", refuse)
    tune("dpo", training={"max_steps": 1})
    left = {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert {name for name in left if not name.startswith((".", "step-"))} == set()


def test_what_is_cut_or_left_out_is_said(tune: Any) -> None:
    events = tune("dpo", data={"max_length": 36})
    facts = next(event.data for event in events if event.data.get("name") == "tokenise")
    said = [str(event.data["message"]) for event in events if event.kind == "warning"]
    assert facts["cut_rows"] > 0
    assert facts["dropped_rows"] > 0
    assert any(f"{facts['cut_rows']} of 48 training rows" in message for message in said)
    assert any("left out: " in message for message in said)


def test_answers_out_of_balance_are_said_with_the_weights_that_mend_it() -> None:
    said: list[tuple[str, str]] = []
    warn = lambda message, hint: said.append((message, hint))  # noqa: E731
    KTO().check_balance(10, 10, warn)
    KTO(desirable_weight=0.25).check_balance(40, 10, warn)
    assert not said
    KTO().check_balance(40, 10, warn)
    assert "desirable_weight to 0.25 to 0.33" in said[0][1]
    KTO().check_balance(40, 0, warn)
    assert "All 40 answers are good" in said[1][0]
