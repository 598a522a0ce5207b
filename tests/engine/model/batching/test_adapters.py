"""Adapters in one batch: each answer is the one that PEFT gives with its adapter alone."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import peft
import pytest
import torch

from maxaillm.model.batching.adapter_files import read_lora
from maxaillm.model.batching.attention import UnbatchableError
from maxaillm.model.batching.support import twin_of
from maxaillm.model.sampling import SamplingOptions
from tests.engine.model.batching.batches import (
    Asked,
    answer_to,
    engine_on,
    generated,
    model_of,
    work_off,
)

GREEDY = SamplingOptions(temperature=0, max_new_tokens=20)
CPU = torch.device("cpu")


def save_adapter(folder: Path, kind: str, seed: int, **settings) -> Path:
    torch.manual_seed(seed)
    config = peft.LoraConfig(
        **{"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 12, "init_lora_weights": False}
        | settings
    )
    peft.get_peft_model(deepcopy(model_of(kind)), config).save_pretrained(folder)
    return folder


def by_peft(kind: str, folder: Path, asked: Asked) -> list[int]:
    return generated(peft.PeftModel.from_pretrained(deepcopy(model_of(kind)), folder).eval(), asked)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_every_adapter_answers_as_alone(kind, tmp_path):
    """Of several ranks, scalings and layers; some answers have none, some share one."""
    inside = ["q_proj", "down_proj"] if kind == "llama" else ["c_attn", "c_proj"]
    ways = [
        {"target_modules": "all-linear"},
        {"target_modules": inside, "r": 2, "use_rslora": True},
        {"target_modules": inside[:1], "r": 8, "rank_pattern": {inside[0]: 3}, "lora_alpha": 4},
        {"target_modules": inside, "layers_to_transform": [1], "alpha_pattern": {inside[0]: 40}},
    ]
    engine = engine_on(twin_of(model_of(kind)))
    folders = {}
    for number, way in enumerate(ways):
        folder = save_adapter(tmp_path / str(number), kind, number, **way)
        folders[str(folder)] = folder
        engine.pool.add(str(folder), read_lora(folder, CPU), ())
    names = [None, *folders, None, *folders, next(iter(folders))]
    asked = [
        Asked([(n * 13 + place * 7) % 250 + 5 for place in range(6 + n * 9)], GREEDY, name)
        for n, name in enumerate(names)
    ]
    answers = [answer_to(one) for one in asked]
    for number, answer in enumerate(answers):
        engine.join(answer)
        if number % 2:
            engine.step()
    work_off(engine)
    bare = {one.prompt[0]: generated(model_of(kind), one) for one in asked}
    changed = 0
    for one, answer in zip(asked, answers, strict=True):
        alone = bare[one.prompt[0]]
        wanted = by_peft(kind, folders[one.adapter], one) if one.adapter else alone
        assert answer.tokens == wanted, one.adapter
        changed += wanted != alone
    assert changed >= 6


def test_a_shared_beginning_belongs_to_one_adapter(tmp_path):
    folder = save_adapter(tmp_path / "a", "llama", 1, target_modules="all-linear")
    engine = engine_on(twin_of(model_of("llama")))
    engine.pool.add("a", read_lora(folder, CPU), ())
    prompt = [(place * 7) % 250 + 5 for place in range(90)]
    for adapter in (None, "a"):
        engine.join(answer_to(Asked(prompt, GREEDY, adapter)))
        work_off(engine)
    other = Asked([*prompt[:80], 9, 9], GREEDY, "a")
    answer = answer_to(other)
    engine.join(answer)
    work_off(engine)
    assert answer.tokens == by_peft("llama", folder, other)


def test_adapters_leave_as_memory_needs(tmp_path):
    engine = engine_on(twin_of(model_of("llama")))
    made = [
        read_lora(save_adapter(tmp_path / str(n), "llama", n, target_modules=["q_proj"]), CPU)
        for n in range(4)
    ]
    engine.pool.budget_bytes = 2 * made[0].bytes
    for number, adapter in enumerate(made):
        engine.pool.add(str(number), adapter, {"0"})
    assert list(engine.pool.held) == ["0", "3"]
    assert {name for layer in engine.pool.layers.values() for name in layer.factors} == {"0", "3"}


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["q_proj"], "use_dora": True},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj"], "trainable_token_indices": [3]},
        {"target_modules": ["q_proj"], "lora_bias": True},
        {"target_modules": ["q_proj"], "bias": "lora_only"},
    ],
)
def test_other_kinds_are_refused(settings, tmp_path):
    folder = save_adapter(tmp_path / "a", "llama", 0, **settings)
    with pytest.raises(UnbatchableError):
        read_lora(folder, CPU)
