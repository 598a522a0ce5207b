"""Every code block of the specification runs as written, one after the other."""

from __future__ import annotations

import json
import os
import re
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.real_data import TEST_DATA

SPECIFICATION = TEST_DATA / "spec/fine_tuning_engine.rst"
BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:(?: {4}.*)?\n)+)", re.MULTILINE)

pytestmark = pytest.mark.skipif(
    not SPECIFICATION.is_file(), reason=f"the specification is not at {SPECIFICATION}"
)


def blocks(language: str) -> list[str]:
    text = SPECIFICATION.read_text(encoding="utf-8") + "\n"
    found = [(kind, textwrap.dedent(body)) for kind, body in BLOCK.findall(text)]
    assert len(found) == text.count(".. code-block::")
    return [body for kind, body in found if kind == language]


@pytest.fixture(scope="module")
def place(tmp_path_factory: Any) -> Iterator[Path]:
    """A working directory with the files that the blocks name."""
    folder: Path = tmp_path_factory.mktemp("specification")
    tiny.make_gpt2(folder / "microsoft/DialoGPT-medium", chat_template=False)
    for name, count in (("train.json", 12), ("validation.json", 6)):
        (folder / name).write_text(json.dumps(dialogues(count)))
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def dialogues(count: int) -> list[dict[str, Any]]:
    pairs = [
        {"input": f"What is {tiny.WORDS[n % 12]}?", "output": f"It is {tiny.WORDS[n * 5 % 12]}."}
        for n in range(2 * count)
    ]
    return [{"conversations": pairs[2 * n : 2 * n + 2]} for n in range(count)]


@pytest.fixture(scope="module")
def names(place: Path) -> dict[str, Any]:
    """What the blocks leave behind, with what they take for granted: the imports of numpy,
    torch and Trainer, weights for the classes, a tuned model and rows to test it on."""
    import numpy as np
    import torch

    from maxaillm.dev.finetune.base import Trainer

    names: dict[str, Any] = {
        "__name__": "specification",
        "np": np,
        "torch": torch,
        "Trainer": Trainer,
        "class_weights": torch.ones(tiny.SIZE),
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number, code in enumerate(blocks("python")):
            if "=fine_tuned_model" in code:
                names |= {"fine_tuned_model": names["model"], "test_dataset": names["eval_dataset"]}
            exec(compile(code, f"block {number + 1}", "exec"), names)
    return names | {"warnings": [str(warning.message) for warning in caught]}


def test_the_first_block_trains_evaluates_and_saves(names: dict[str, Any], place: Path) -> None:
    assert names["trainer"] is not None
    assert names["eval_results"]["eval_loss"] > 0
    assert (place / "fine_tuned_model/model.safetensors").is_file()


def test_names_that_the_libraries_dropped_are_said_once_each(names: dict[str, Any]) -> None:
    for word in ("logging_dir", "padding='max_length'", "per_device_eval_batch_size"):
        assert sum(word in warning for warning in names["warnings"]) == 1, word


def test_the_adapter_is_saved_twice_and_answers(names: dict[str, Any], place: Path) -> None:
    from maxaillm.model.llm import MaxHuggingFaceLLM

    base = place / "microsoft/DialoGPT-medium"
    for name in ("lora_adapter", "adapter"):
        assert (place / name / "adapter_model.safetensors").is_file()
        llm = MaxHuggingFaceLLM(place / name, base=base)
        assert isinstance(llm.generate("Hello", max_new_tokens=4), str)


def test_layers_of_another_family_are_named_as_the_model_has_them(names: dict[str, Any]) -> None:
    trained = [name for name, p in names["peft_tuner"].model.named_parameters() if p.requires_grad]
    assert trained
    assert all("c_attn" in name for name in trained)


def test_results_have_the_keys_that_are_printed(names: dict[str, Any]) -> None:
    results = names["results"]
    assert results["bleu"] >= 0
    assert 0 <= results["rouge"]["rougeL"] <= 1
    assert results["perplexity"] > 1
    assert 0 <= results["accuracy"] <= 1


def test_exports_are_whole(names: dict[str, Any], place: Path) -> None:
    assert (place / "exported_model/model.safetensors").is_file()
    assert (place / "model.onnx").is_file()


def test_the_response_is_text(names: dict[str, Any]) -> None:
    assert isinstance(names["response"], str)


def test_a_trainer_with_its_own_loss_and_metric_really_trains(names: dict[str, Any]) -> None:
    sides = {
        "model": names["model"],
        "args": {"output_dir": "./custom", "max_steps": 2, "logging_steps": 1},
        "train_dataset": names["train_dataset"],
        "eval_dataset": names["eval_dataset"],
    }
    custom = names["CustomLossTrainer"](
        **sides, compute_metrics=names["custom_accuracy_metric"], tokenizer=names["tokenizer"]
    )
    before = [p.detach().clone() for p in custom.model.parameters() if p.requires_grad]
    custom.train()
    after = [p for p in custom.model.parameters() if p.requires_grad]
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    assert 0 <= custom.evaluate()["eval_accuracy"] <= 1


def test_the_processor_of_the_specification_makes_what_a_model_takes(names: dict[str, Any]) -> None:
    processor = names["CustomDataProcessor"](names["tokenizer"], max_length=16)
    made = processor.preprocess_function({"question": ["Why?"], "answer": ["So."]})
    assert len(made["input_ids"][0]) == len(made["labels"][0]) == 16


@pytest.mark.parametrize("block", [2, 3, 4])
def test_training_arguments_of_the_specification_train(block: int, place: Path) -> None:
    """Multi-GPU, mixed precision and gradient checkpointing, on whatever there is."""
    from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning

    names: dict[str, Any] = {}
    exec(blocks("python")[block], names)
    arguments = {"output_dir": f"./block-{block}", **names["training_args"], "max_steps": 1}
    (place / "ds_config.json").write_text(json.dumps({"zero_optimization": {"stage": 2}}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuner = MaxHuggingFaceFineTuning(
            {"model_name": "microsoft/DialoGPT-medium", "training_args": arguments}
        )
        train, _ = tuner.prepare_data("train.json")
        model, tokenizer = tuner.configure_model()
        trainer = tuner.train(model=model, tokenizer=tokenizer, train_dataset=train)
    assert trainer.state.global_step == 1


def test_data_formats_of_the_specification_are_recognised(tmp_path: Path) -> None:
    from maxaillm.dev.finetune.data.examples.conversation import Conversation
    from maxaillm.dev.finetune.data.reading.examples import read_examples

    found = blocks("json")
    assert len(found) == 2
    for number, block in enumerate(found):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps([json.loads(block)] * 3))
        assert all(isinstance(example, Conversation) for example in read_examples(path))


def test_what_was_trained_is_deployed_until_it_is_stopped(names: dict[str, Any]) -> None:
    import openai

    with names["fine_tuner"].deploy(name="tuned") as deployed:
        client = openai.OpenAI(base_url=deployed.base_url, api_key=deployed.key)
        hello = [{"role": "user", "content": "What is red?"}]
        done = client.chat.completions.create(model="tuned", messages=hello, max_tokens=4)
        assert done.usage.completion_tokens <= 4
