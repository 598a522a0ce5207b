"""A model folder is refused before anything opens it, each time with a next step."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.hf.loading import fetch, load_tokenizer
from maxaillm.dev.finetune.model_files.folder import (
    check_adapter,
    check_folder,
    find_folder,
    is_hub_name,
)
from maxaillm.model.llm import MaxHuggingFaceLLM
from tests import tiny


class Canary:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def folder(llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llama, tmp_path / "model"))


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_whole_folder_is_accepted(folder: Path) -> None:
    assert check_folder(folder)["model_type"] == "llama"
    assert fetch(str(folder)) == folder


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_part_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError) as caught:
        fetch(str(folder))
    assert caught.value.hint
    assert name in caught.value.message or "safetensors" in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "pytorch_model.bin", "model.pt", "weights.pth", "model.ckpt", "data.pkl",
        "training_args.bin", "optimizer.pt", "model.safetensors",
    ],
)  # fmt: skip
def test_case_6_pickles_are_refused_unopened(folder: Path, tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    (folder / name).write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(ModelError):
        fetch(str(folder))
    assert not canary.exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("key", ["auto_map", "_attn_implementation_internal"])
def test_case_5_custom_code_is_refused(folder: Path, name: str, key: str) -> None:
    edit(folder / name, nested={"deep": [{key: {"AutoModel": "evil.Model"}}]})
    with pytest.raises(ModelError, match="asks for code of its own"):
        fetch(str(folder))


@pytest.mark.parametrize(
    "shard",
    [
        "../other/model.safetensors", "/etc/model.safetensors", "sub/model.safetensors",
        "..", "", 7, None, "missing.safetensors",
    ],
)  # fmt: skip
def test_t21_a_shard_index_names_only_files_beside_it(folder: Path, shard: object) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a.weight": shard}}))
    with pytest.raises(ModelError):
        check_folder(folder)


def test_t21_a_link_that_leads_out_is_refused(folder: Path, tmp_path: Path, llama: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(llama / "model.safetensors")
    with pytest.raises(ModelError, match="leads out"):
        check_folder(folder)


def test_links_into_the_hub_cache_of_the_same_model_are_fine(tmp_path: Path, llama: Path) -> None:
    snapshot = tmp_path / "models--a--b" / "snapshots" / "c0ffee"
    blobs = tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for path in llama.iterdir():
        shutil.copy(path, blobs / path.name)
        (snapshot / path.name).symlink_to(Path("../../blobs") / path.name)
    assert check_folder(snapshot)


@pytest.mark.parametrize(
    "name",
    [
        "/etc", "..", "../x", "~/nothing-here", "./missing", "file:///etc/passwd", "http://a/b",
        "zip://a::http://b", "a/b/c", "a b", "-", "nul\0", "a" * 300, "", "owner/..", "../../etc",
        "starter/none", "starter/../chat", "C:\\models", "hf://a/b", ".", "a//b", "/", "a/", "@x/y",
    ],
)  # fmt: skip
def test_case_8_odd_names_are_refused_without_a_look(name: str) -> None:
    """Refused here, or a plain Hub name; none is looked up relative to the current folder."""
    if is_hub_name(name) and find_folder(name) is None:
        assert name in {"-"}
        return
    with pytest.raises(ModelError) as caught:
        fetch(name)
    assert caught.value.hint


def test_t23_a_hub_name_is_never_a_folder_here(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(llama, tmp_path / "bob" / "private")
    monkeypatch.chdir(tmp_path)
    assert find_folder("bob/private") is None
    assert find_folder("./bob/private") is not None


def test_a_model_that_writes_no_text_is_refused(folder: Path) -> None:
    edit(folder / "config.json", architectures=["LlamaForSequenceClassification"])
    with pytest.raises(ModelError, match="does not write text"):
        MaxHuggingFaceLLM(folder, device="cpu")


def test_deep_json_is_refused_not_crashed_on(folder: Path) -> None:
    (folder / "config.json").write_text('{"a":' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(ModelError):
        check_folder(folder)


def test_an_adapter_needs_safetensors(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError):
        check_adapter(tmp_path)


def test_a_missing_pad_token_is_not_taken_from_the_end_token(tmp_path: Path) -> None:
    folder = tiny.save_tokenizer(tmp_path / "t", pad_token=False)
    tokenizer = load_tokenizer(folder)
    assert tokenizer.pad_token_id is not None
    assert tokenizer.pad_token != tokenizer.eos_token
