"""Every export says what the trained model says, or there is no export."""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError, DiskFullError, ExportError
from maxaillm.dev.finetune.exports import Export, choose_export, exports
from maxaillm.dev.finetune.exports.merged import Merged
from maxaillm.dev.finetune.exports.shared.export import export_model
from maxaillm.dev.finetune.exports.shared.facts import Rounding
from maxaillm.dev.finetune.exports.shared.source import Trained
from maxaillm.dev.finetune.model_files.folder import read_header
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from tests import tiny

Tuned = Callable[[str, Path], Path]
OPTIONS = {"gguf": {"type": "F32"}}
SLOW = {("onnx", "full")}
"""Tracing takes its time; the other kind of model is traced in every run of the tests."""


@pytest.fixture(scope="session")
def licensed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with a licence, in a folder whose name is nobody's business."""
    folder = tiny.make_llama(tmp_path_factory.mktemp("private_place") / "llama")
    (folder / "LICENSE").write_text("Do as you like.", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tuned(tmp_path_factory: pytest.TempPathFactory, chats: Path) -> Tuned:
    """The folder of a base after four steps by a method; each is trained once."""
    made: dict[tuple[str, Path], Path] = {}

    def tune(method: str, base: Path) -> Path:
        if (method, base) not in made:
            folder = tmp_path_factory.mktemp("tuned")
            sections = {"tuning": {"name": method}, "training": {"learning_rate": 0.01}}
            config = RunConfig.parse(tiny.run_config(base, chats, **sections))
            with Attempt(folder) as attempt:
                MaxHuggingFaceFineTuning(config, attempt).run()
            made[method, base] = folder / "model"
        return made[method, base]

    return tune


def cases() -> Iterator[Any]:
    for name in exports:
        for method in ("lora", "full"):
            marks = [pytest.mark.slow] if (name, method) in SLOW else []
            yield pytest.param(name, method, marks=marks)


def chosen(name: str, **options: Any) -> Export:
    return choose_export(name, OPTIONS.get(name, {}) | options)


def everything_below(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(("name", "method"), cases())
def test_an_export_says_what_the_model_says(
    name: str, method: str, tuned: Tuned, licensed: Path, tmp_path: Path
) -> None:
    model, form = tuned(method, licensed), chosen(name)
    reason = form.refusal(Trained(model).facts)
    if reason:
        with pytest.raises(ExportError, match="no adapter"):
            export_model(form, model, tmp_path / "out")
        assert everything_below(tmp_path) <= {"data"}
        return
    manifest = export_model(form, model, tmp_path / "out")
    folder = tmp_path / "out"
    parity = json.loads((folder / "parity.json").read_bytes())
    assert parity["passed"]
    assert parity["max_logit_difference"] < 1e-5
    assert parity["tokens_equal"] == parity["tokens"] == 80
    assert len(parity["prompts"]) == 5
    assert manifest == json.loads((folder / "manifest.json").read_bytes())
    assert {entry["name"] for entry in manifest["files"]} == everything_below(folder) - {
        "manifest.json"
    }
    for entry in manifest["files"]:
        content = (folder / entry["name"]).read_bytes()
        assert entry["size_bytes"] == len(content)
        assert entry["sha256"] == sha256(content).hexdigest()
        assert b"private_place" not in content
        assert str(tmp_path).encode() not in content
    assert (manifest["base_model"], manifest["license"]) == ("./llama", "LICENSE")
    assert (folder / "LICENSE").read_text(encoding="utf-8") == "Do as you like."
    assert everything_below(tmp_path) <= {"out", "data"}


WEIGHTS = {
    "adapter": "adapter_model.safetensors",
    "merged": "model.safetensors",
    "onnx": "model.onnx.data",
    "gguf": "model.gguf",
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n == "onnx" else []) for n in exports]
)
def test_one_altered_weight_is_found(
    name: str, tuned: Tuned, llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = chosen(name)
    write = type(form).write

    def write_badly(self: Export, trained: Trained, folder: Path) -> Rounding:
        rounding = write(self, trained, folder)
        with (folder / WEIGHTS[name]).open("r+b") as file:
            file.seek(-4, os.SEEK_END)
            file.write(struct.pack("<f", 1000.0))
        return rounding

    monkeypatch.setattr(type(form), "write", write_badly)
    with pytest.raises(ExportError, match="does not say what the trained model says"):
        export_model(form, tuned("lora", llama), tmp_path / "out")
    assert everything_below(tmp_path) <= {"data"}


def test_the_adapter_counts(tuned: Tuned, llama: Path, tmp_path: Path) -> None:
    """What is replayed is the tuned model, not its base."""
    export_model(chosen("merged"), tuned("lora", llama), tmp_path / "out")
    before = (llama / "model.safetensors").read_bytes()
    assert (tmp_path / "out" / "model.safetensors").read_bytes() != before


def test_a_full_disk_is_said_and_nothing_stays(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_nothing(self: Export, trained: Trained, folder: Path) -> Rounding:
        (folder / "half").write_text("half", encoding="utf-8")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Merged, "write", write_nothing)
    with pytest.raises(DiskFullError, match="could not be written"):
        export_model(Merged(), llama, tmp_path / "out")
    assert everything_below(tmp_path) <= {"data"}


def test_what_is_there_stays(llama: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine", encoding="utf-8")
    with pytest.raises(ExportError, match="already"):
        export_model(Merged(), llama, tmp_path / "out")
    assert everything_below(tmp_path / "out") == {"mine"}


def test_the_leavings_of_a_killed_export_are_cleared(llama: Path, tmp_path: Path) -> None:
    leavings = tmp_path / ".out.export"
    leavings.mkdir()
    (leavings / "half.safetensors").write_bytes(b"half")
    export_model(Merged(), llama, tmp_path / "out")
    assert "half.safetensors" not in everything_below(tmp_path / "out")
    assert not leavings.exists()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_a_merged_model_has_the_dtype_asked_for_and_tied_weights_once(
    dtype: str, tuned: Tuned, llama: Path, tmp_path: Path
) -> None:
    export_model(chosen("merged", dtype=dtype), tuned("lora", llama), tmp_path / "out")
    header = read_header(tmp_path / "out" / "model.safetensors")
    stored = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}[dtype]
    assert {entry["dtype"] for entry in header.values()} == {stored}
    assert "lm_head.weight" not in header
    parity = json.loads((tmp_path / "out" / "parity.json").read_bytes())
    assert parity["max_logit_difference"] < 1e-7
    assert (parity["rounding"]["max_logit_difference"] > 1e-5) == (dtype != "float32")


def test_layers_that_were_swapped_for_a_method_are_the_models_own_again(
    tuned: Tuned, gpt2: Path, tmp_path: Path
) -> None:
    export_model(chosen("merged"), tuned("hra", gpt2), tmp_path / "out")
    merged, base = (
        {name: entry["shape"] for name, entry in read_header(folder / "model.safetensors").items()}
        for folder in (tmp_path / "out", gpt2)
    )
    assert merged == base


def test_what_can_not_be_merged_is_exported_as_adapter(
    tuned: Tuned, llama: Path, tmp_path: Path
) -> None:
    model = tuned("prefix", llama)
    for name in sorted(set(exports) - {"adapter"}):
        with pytest.raises(ExportError, match="can't be merged"):
            export_model(chosen(name), model, tmp_path / "out")
    export_model(chosen("adapter"), model, tmp_path / "out")


def test_a_form_refuses_what_it_does_not_serve(gpt2: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="GGUF can hold llama"):
        export_model(chosen("gguf"), gpt2, tmp_path / "out")


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError) as caught:
        choose_export("merged", {"dtype": "int3"})
    assert caught.value.problems[0].path == "dtype"
    assert "bfloat16" in caught.value.problems[0].allowed


def test_the_command(llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    asked = ["export", str(llama), "merged", str(folder), "dtype=float16", "--json"]
    assert main(asked) == 0
    assert json.loads(capsys.readouterr().out)["options"] == {"dtype": "float16"}
    assert main(asked) == ExportError.exit_code
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "export"
