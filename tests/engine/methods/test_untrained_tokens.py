"""Tokens that the base never trained, or has no row for: learned where a method can, else said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.estimate import Estimate, estimate
from maxaillm.dev.finetune.exports import choose_export
from maxaillm.dev.finetune.exports.shared.export import export_model
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.model_files.embeddings import READ
from maxaillm.dev.finetune.model_files.folder import read_json
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.events import read_journal
from maxaillm.model.llm import MaxHuggingFaceLLM
from maxaillm.model.opening import open_model
from tests import tiny
from tests.engine.methods.matrix import logits as logits_of
from tests.engine.methods.matrix import rows_for
from tests.engine.methods.sleepy import END, START, make_grown, make_sleepy
from tests.families import FAMILIES

ABLE = [name for name, method in methods.items() if method.trains_rows]
IDS = torch.tensor([[1, START, 90, 95, END, 80, START]])

Make = Callable[..., Path]


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def sleepy(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sleepy(tmp_path_factory.mktemp("base") / "sleepy", tied=request.param)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_grown(tmp_path_factory.mktemp("base") / "grown")


def config_of(base: Path, rows: Path, method: str, **options: Any) -> RunConfig:
    sections = {
        "data": {"validation_share": 0, "packing": False},
        "training": {"max_steps": 6, "learning_rate": 0.02, "save_steps": 3},
        "tuning": {"name": method, **options},
    }
    return RunConfig.parse(tiny.run_config(base, rows, **sections))


def tuned(config: RunConfig, root: Path, resume: Any = None) -> tuple[Any, Path]:
    """A model as its run left it, and where it was saved."""
    with Attempt(root) as attempt:
        run = MaxHuggingFaceFineTuning(config, attempt)
        rows, held = run.prepare_data()
        trainer = run.train(*run.configure_model(), rows, held, resume)
        folder = run.save_model(trainer)
    return trainer.model.eval(), folder


def warnings_in(root: Path) -> str:
    events = read_journal(root / "events.jsonl")
    return "\n".join(event.data["message"] for event in events if event.kind == "warning")


@torch.no_grad()
def logits(model: Any, ids: torch.Tensor = IDS) -> torch.Tensor:
    return model(input_ids=ids).logits


@pytest.mark.parametrize(
    "method",
    [pytest.param(n, marks=[] if n in {"lora", "adalora"} else [pytest.mark.slow]) for n in ABLE],
)
def test_their_rows_are_trained_saved_and_merged(
    method: str, sleepy: Path, chats: Path, tmp_path: Path
) -> None:
    config = config_of(sleepy, chats, method)
    (note,) = estimate(config).notes
    assert note.level == ""
    assert "2 tokens" in note.message
    assert "<|im_end|>" in note.message
    base = MaxHuggingFaceLLM(sleepy, "cpu", precision="fp32")
    alike = logits(base.model)[..., [END, 120]]
    torch.testing.assert_close(alike[..., 0], alike[..., 1], rtol=0, atol=1e-3)

    model, folder = tuned(config, tmp_path / "run")
    assert note.message in warnings_in(tmp_path / "run")
    apart = logits(model)[..., [END, 120]]
    assert (apart[..., 0] - apart[..., 1]).abs().max() > 0.01
    again = MaxHuggingFaceLLM(folder, "cpu", precision="fp32")
    torch.testing.assert_close(logits(again.model), logits(model))
    again.set_adapter(None)
    torch.testing.assert_close(logits(again.answering), logits(base.model))

    export_model(choose_export("merged", {}), folder, tmp_path / "merged")
    merged = MaxHuggingFaceLLM(tmp_path / "merged", "cpu", precision="fp32")
    torch.testing.assert_close(logits(merged.model), logits(model), rtol=1e-4, atol=1e-4)
    tied = merged.model.config.tie_word_embeddings
    head, table = merged.model.lm_head.weight, merged.model.get_input_embeddings().weight
    assert (head is table) == tied


@pytest.mark.parametrize("layer", [None, "embed_tokens", "lm_head"])
def test_the_estimate_counts_them(
    layer: str | None, sleepy: Path, chats: Path, tmp_path: Path
) -> None:
    """Also where one end of the model is adapted as a whole, and needs no rows."""
    if layer and read_json(sleepy / "config.json")["tie_word_embeddings"]:
        return
    options = {"target_modules": ["q_proj", layer]} if layer else {}
    config = config_of(sleepy, chats, "lora", **options)
    found = estimate(config)
    with Attempt(tmp_path / "run") as attempt:
        run = MaxHuggingFaceFineTuning(config, attempt)
        run.prepare_data()
        model, _ = run.configure_model()
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert found.trainable_parameters == trained


@pytest.mark.parametrize(
    ("task", "family"),
    [("preference", "llama"), ("seq2seq_lm", "t5"), ("sequence_classification", "gpt2")],
)
def test_other_tasks_train_them_too(task: str, family: str, tmp_path: Path) -> None:
    base = FAMILIES[family](tmp_path / "base")
    weights = load_file(base / "model.safetensors")
    name = next(name for name in weights if READ.search(name))
    asleep = range(10, 40)  # signs and figures: the rows end with a full stop
    weights[name] = weights[name].clone()
    weights[name][asleep] = weights[name][41].clone()
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    rows = tiny.write_lines(tmp_path / "rows.jsonl", [*map(with_a_stop, rows_for(task))])
    config = config_of(base, rows, "lora")
    model, folder = tuned(config.model_copy(update={"task": task}), tmp_path / "run")
    assert "The base never trained" in warnings_in(tmp_path / "run")
    (trained,) = (p for n, p in model.named_parameters() if "trainable_tokens" in n)
    assert not torch.equal(trained[0], weights[name][41])
    again = open_model(folder, device="cpu", precision="fp32")
    inputs = {"input_ids": IDS, "attention_mask": torch.ones_like(IDS)}
    torch.testing.assert_close(logits_of(again.answering, inputs), logits_of(model, inputs))


def with_a_stop(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "text": row["text"] + "."} if "text" in row else row


@pytest.mark.parametrize("form", ["adapter", "gguf", pytest.param("onnx", marks=pytest.mark.slow)])
def test_exports_have_them(form: str, sleepy: Path, chats: Path, tmp_path: Path) -> None:
    _, folder = tuned(config_of(sleepy, chats, "lora"), tmp_path / "run")
    options = {"type": "F32"} if form == "gguf" else {}
    export_model(choose_export(form, options), folder, tmp_path / "out")
    parity = json.loads((tmp_path / "out" / "parity.json").read_bytes())
    assert parity["passed"]
    assert parity["max_logit_difference"] < 1e-4


def test_a_run_goes_on_with_them(sleepy: Path, chats: Path, tmp_path: Path) -> None:
    from maxaillm.dev.finetune.run.checkpoints import Checkpoint

    config = config_of(sleepy, chats, "lora")
    whole, _ = tuned(config, tmp_path / "whole")
    half = Checkpoint.read(tmp_path / "whole" / "checkpoints" / "step-0000003")
    rest, _ = tuned(config, tmp_path / "rest", half)
    torch.testing.assert_close(logits(rest), logits(whole), rtol=0, atol=0)


def test_adapters_with_rows_and_without_share_a_base(
    sleepy: Path, chats: Path, tmp_path: Path
) -> None:
    plain = tiny.write_lines(tmp_path / "plain.jsonl", tiny.texts(8))
    folders = [
        tuned(config_of(sleepy, rows, "lora", r=rank), tmp_path / f"run{rank}")[1]
        for rank, rows in ((2, chats), (3, plain), (4, chats))
    ]
    alone = [logits(MaxHuggingFaceLLM(f, "cpu", precision="fp32").model) for f in folders]
    llm = MaxHuggingFaceLLM(sleepy, "cpu", precision="fp32")
    before = logits(llm.model)
    for number, folder in enumerate(folders):
        llm.load_adapter(str(number), folder)
    for number in (0, 2, 1, 0, 1, 2):
        llm.set_adapter(str(number))
        torch.testing.assert_close(logits(llm.answering), alone[number])
        llm.set_adapter(None)
        torch.testing.assert_close(logits(llm.answering), before)
    for number in (0, 1):
        llm.unload_adapter(str(number))
    llm.set_adapter("2")
    torch.testing.assert_close(logits(llm.answering), alone[2])


@pytest.mark.parametrize("method", ["loha", "prompt_tuning"])
def test_a_method_that_freezes_them_says_so_before(
    method: str, sleepy: Path, chats: Path, tmp_path: Path
) -> None:
    config = config_of(sleepy, chats, method)
    (note,) = estimate(config).notes
    assert note.level == "warn"
    assert "Answers will not end" in note.message
    assert "lora" in note.hint
    tuned(config, tmp_path / "run")
    assert note.message in warnings_in(tmp_path / "run")


def test_full_tuning_says_nothing(sleepy: Path, chats: Path, tmp_path: Path) -> None:
    config = config_of(sleepy, chats, "full")
    assert estimate(config).notes == ()
    tuned(config, tmp_path / "run")
    assert "never trained" not in warnings_in(tmp_path / "run")


@pytest.mark.parametrize("layer", ["embed_tokens", "lm_head"])
@pytest.mark.parametrize("method", ["lora", "loha"])
def test_tied_embeddings_are_no_target(
    method: str, layer: str, llama: Path, chats: Path, tmp_path: Path
) -> None:
    config = config_of(llama, chats, method, target_modules=["q_proj", layer])
    for act in (lambda: estimate(config), lambda: tuned(config, tmp_path / "run")):
        with pytest.raises(ModelError, match=f"{layer} shares its weights") as caught:
            act()
        assert "tuning.target_modules" in caught.value.hint
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_added_tokens_get_rows(grown: Path, tmp_path: Path) -> None:
    rows = tiny.write_lines(
        tmp_path / "rows.jsonl",
        [{"prompt": f"say {w}", "completion": f"<|call|>{w}<|end_call|>"} for w in tiny.WORDS],
    )
    config = config_of(grown, rows, "lora")
    found: Estimate = estimate(config)
    assert "<|call|>" in found.notes[0].message
    model, folder = tuned(config, tmp_path / "run")
    assert "no rows for 2" in warnings_in(tmp_path / "run")
    new = torch.tensor([[1, START, tiny.SIZE, 90, tiny.SIZE + 1]])
    again = MaxHuggingFaceLLM(folder, "cpu", precision="fp32")
    assert logits(again.model, new).shape[-1] == tiny.SIZE + 2
    torch.testing.assert_close(logits(again.model, new), logits(model, new))
    for form in ("merged", "gguf"):
        options = {"type": "F32"} if form == "gguf" else {}
        export_model(choose_export(form, options), folder, tmp_path / form)
    merged = MaxHuggingFaceLLM(tmp_path / "merged", "cpu", precision="fp32")
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(logits(merged.model, new), logits(model, new), **close)


@pytest.mark.parametrize("method", ["loha", "prefix"])
def test_added_tokens_that_could_not_be_learned_are_refused(
    method: str, grown: Path, chats: Path, tmp_path: Path
) -> None:
    config = config_of(grown, chats, method)
    for act in (lambda: estimate(config), lambda: tuned(config, tmp_path / "run")):
        with pytest.raises(ModelError, match=r"2 more tokens .*<\|call\|>, <\|end_call\|>"):
            act()


def test_the_tokenizer_of_another_model_is_refused(chats: Path, tmp_path: Path) -> None:
    base = tiny.make_llama(tmp_path / "base")
    file = base / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary |= {f"word{n}": tiny.SIZE + n for n in range(5)}
    file.write_text(json.dumps(tokenizer))
    config = config_of(base, chats, "lora")
    for act in (lambda: estimate(config), lambda: tuned(config, tmp_path / "run")):
        with pytest.raises(ModelError, match="two models"):
            act()
