"""Every tuning method keeps the contract, on a Llama and on a GPT-2."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError
from maxaillm.dev.finetune.estimate import estimate
from maxaillm.dev.finetune.hf.loading import load_model
from maxaillm.dev.finetune.methods import FEW_BITS, Plan, methods
from maxaillm.dev.finetune.tasks import TASK_NAMES
from maxaillm.dev.finetune.tasks.names import EVERY_TASK
from maxaillm.model.llm import MaxHuggingFaceLLM
from tests.engine.methods.cases import Tune, Tuned, events_of, logits_of, tune, tuning_of

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
SOON = {"full", "lora", "adalora", "ia3", "oft", "p_tuning_v2"}
"""Methods that are tried on GPT-2 each time, one of each way to lie on its layers; the others
are where the `slow` tests are."""
each_method = pytest.mark.parametrize("name", list(methods))


def each_on_each(names: Iterable[str]) -> Any:
    """Every method on both families, a Llama and a GPT-2."""
    later = pytest.mark.slow
    pairs = [pytest.param(name, "llama") for name in names]
    pairs += [pytest.param(n, "gpt2", marks=[] if n in SOON else [later]) for n in names]
    return pytest.mark.parametrize(("name", "family"), pairs)


merging = [name for name, method in methods.items() if method.merges]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: Any, llama: Path, gpt2: Path, chats: Path) -> Tune:
    bases = {"llama": llama, "gpt2": gpt2}

    @cache
    def made(name: str, family: str) -> Tuned:
        folder = tmp_path_factory.mktemp(f"{name}-{family}")
        return tune(bases[family], chats, folder, tuning=tuning_of(name))

    return made


def reopened(run: Tuned) -> MaxHuggingFaceLLM:
    base = run.config.model.name
    return MaxHuggingFaceLLM(run.model, device="cpu", base=base, precision="fp32")


@each_method
def test_says_what_it_is_and_what_it_serves(name: str) -> None:
    method = methods[name]
    assert 1e-6 < method.recommended_learning_rate < 0.5
    assert method.costs.endswith(".")
    assert method.tasks <= EVERY_TASK == set(TASK_NAMES)
    assert method.merges <= method.keeps_base
    assert method.quantizes <= FEW_BITS
    assert method.keeps_base or not method.quantizes
    for task in EVERY_TASK:
        assert (method.refusal(task, "llama") is None) == (task in method.tasks)


@each_method
def test_options_survive_json_and_bring_their_learning_rate(name: str, tmp_path: Path) -> None:
    config = RunConfig.parse({"model": {"name": "x"}, "tuning": tuning_of(name)})
    assert RunConfig.parse(json.loads(config.model_dump_json())) == config
    assert config.learning_rate == methods[name].recommended_learning_rate


@each_on_each(list(methods))
def test_trains_its_own_weights_and_no_others(name: str, family: str, tuned: Tune) -> None:
    run = tuned(name, family)
    assert run.changed <= run.trained
    assert len(run.changed) > len(run.trained) / 2  # AdaLoRA may prune a layer from the start
    assert list(run.losses) == [1, 2, 3, 4]


@each_on_each(list(methods))
def test_counts_what_it_trains_from_the_files_alone(name: str, family: str, tuned: Tune) -> None:
    run = tuned(name, family)
    assert estimate(run.config).trainable_parameters == run.trainable_parameters


@each_on_each(list(methods))
def test_saved_model_is_the_trained_one_and_answers(name: str, family: str, tuned: Tune) -> None:
    run = tuned(name, family)
    llm = reopened(run)
    torch.testing.assert_close(logits_of(llm.model), run.logits, **CLOSE)
    assert isinstance(llm.generate("What is red?", max_new_tokens=3, do_sample=False), str)


@each_on_each(merging)
def test_merges_into_a_model_of_the_same_family(name: str, family: str, tuned: Tune) -> None:
    run = tuned(name, family)
    llm = reopened(run)
    merged = run.config.tuning.merge(llm.model)
    torch.testing.assert_close(logits_of(merged), run.logits, rtol=1e-4, atol=1e-5)
    base = load_file(Path(run.config.model.name) / "model.safetensors")
    shapes = {name: tuple(p.shape) for name, p in merged.named_parameters()}
    assert {name: tuple(weight.shape) for name, weight in base.items()} == shapes


@each_method
def test_goes_on_from_a_checkpoint_bit_for_bit(
    name: str, tuned: Tune, llama: Path, chats: Path, tmp_path: Path
) -> None:
    whole = tuned(name, "llama")
    checkpoint = whole.folder / "checkpoints" / "step-0000002"
    resumed = tune(llama, chats, tmp_path / "resumed", checkpoint, tuning=tuning_of(name))
    assert resumed.losses == {step: whole.losses[step] for step in (3, 4)}
    assert resumed.logits.equal(whole.logits)


@pytest.mark.parametrize(
    "name", [name for name, method in methods.items() if method.checkpoints_gradients]
)
def test_gradients_are_the_same_when_activations_are_computed_again(name: str, llama: Path) -> None:
    def gradients(*, again: bool) -> dict[str, torch.Tensor]:
        model = load_model(llama, torch.float32).model
        torch.manual_seed(1)
        method = RunConfig.parse({"model": {"name": "x"}, "tuning": tuning_of(name)}).tuning
        model = method.prepare(model, Plan("CAUSAL_LM", 10)).train()
        if again:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        torch.manual_seed(2)
        ids = torch.arange(20, 40)[None]
        model(input_ids=ids).logits.square().mean().backward()
        named = model.named_parameters()
        return {name: p.grad for name, p in named if p.grad is not None}

    kept, again = gradients(again=False), gradients(again=True)
    assert kept.keys() == again.keys() != set()
    for parameter, gradient in kept.items():
        torch.testing.assert_close(again[parameter], gradient, **CLOSE)


@pytest.mark.parametrize(
    "name", [name for name, method in methods.items() if not method.checkpoints_gradients]
)
def test_says_so_where_it_can_not_compute_activations_again(
    name: str, llama: Path, chats: Path, tmp_path: Path
) -> None:
    model = {"gradient_checkpointing": True}
    with pytest.raises(ConfigError) as refused:
        tune(llama, chats, tmp_path, tuning=tuning_of(name), model=model)
    (problem,) = refused.value.problems
    assert problem.path == "model.gradient_checkpointing"
    assert problem.message == f"Gradient checkpointing does not apply to {methods[name].label}."


@pytest.mark.parametrize("name", [name for name, method in methods.items() if not method.packs])
def test_rows_are_not_packed_where_they_would_see_each_other(name: str, tuned: Tune) -> None:
    stages = [e.data for e in events_of(tuned(name, "llama").folder) if e.kind == "stage"]
    facts = next(stage for stage in stages if stage["name"] == "tokenise")
    assert facts["sequences"] == facts["rows"]


def test_adapters_of_all_kinds_take_turns_on_one_base(tuned: Tune, gpt2: Path) -> None:
    names = ["lora", "prefix", "oft", "pissa", "prompt_tuning", "lora"]
    llm = MaxHuggingFaceLLM(gpt2, device="cpu", precision="fp32")
    bare = logits_of(llm.model)
    for name in dict.fromkeys(names):
        llm.load_adapter(name, tuned(name, "gpt2").model)
    for name in names:
        llm.set_adapter(name)
        torch.testing.assert_close(logits_of(llm.answering), tuned(name, "gpt2").logits, **CLOSE)
        llm.set_adapter(None)
        torch.testing.assert_close(logits_of(llm.answering), bare, **CLOSE)
    for name in dict.fromkeys(names):
        llm.unload_adapter(name)
    torch.testing.assert_close(logits_of(llm.model), bare, **CLOSE)


def test_first_figures_are_those_of_the_base(llama: Path, chats: Path, tmp_path: Path) -> None:
    def first(name: str) -> Any:
        sections = {"data": {"validation_share": 0.25}, "training": {"max_steps": 1}}
        tune(llama, chats, tmp_path / name, tuning=tuning_of(name), **sections)
        return next(e.data["eval_loss"] for e in events_of(tmp_path / name) if e.kind == "eval")

    expected = first("lora")
    for name in ("prompt_tuning", "fourier_ft"):
        assert first(name) == pytest.approx(expected, rel=1e-4)
