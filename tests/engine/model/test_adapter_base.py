"""An adapter lies on the very base that it was trained on, or says why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.errors import ModelError, OtherBaseError
from maxaillm.dev.finetune.exports import choose_export
from maxaillm.dev.finetune.exports.shared.export import export_model
from maxaillm.dev.finetune.model_files.identity import digest_of
from maxaillm.model.llm import MaxHuggingFaceLLM
from tests import tiny
from tests.engine.conftest import Train

IDS = torch.arange(20, 30)[None]


@pytest.fixture
def base(llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llama, tmp_path / "models" / "mine"))


@pytest.fixture
def adapter(base: Path, train: Train, tmp_path: Path) -> Path:
    train(base, "run", training={"max_steps": 1})
    return tmp_path / "run" / "model"


def logits(folder: Path, **options: object) -> torch.Tensor:
    with torch.no_grad():
        model = MaxHuggingFaceLLM(folder, "cpu", precision="fp32", **options).model
        return model(input_ids=IDS).logits


def change(folder: Path, by: float) -> None:
    file = folder / "model.safetensors"
    weights = {name: value + by for name, value in load_file(file).items()}
    save_file(weights, file, metadata={"format": "pt"})


def test_other_weights_are_refused_unless_asked_for(
    adapter: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(base, 0.05)
    with pytest.raises(OtherBaseError, match="trained on another model"):
        MaxHuggingFaceLLM(adapter, "cpu")
    assert main(["generate", str(adapter), "hi", "--max-new-tokens", "2"]) == 4
    assert main(["export", str(adapter), "merged", str(tmp_path / "out")]) == 4
    assert "--any-base" in capsys.readouterr().err
    with pytest.warns(UserWarning, match="may mean nothing"):
        MaxHuggingFaceLLM(adapter, "cpu", any_base=True)
    with pytest.warns(UserWarning, match="may mean nothing"):
        assert main(["export", str(adapter), "merged", str(tmp_path / "out"), "--any-base"]) == 0


def test_another_size_is_a_sentence(adapter: Path, base: Path) -> None:
    shutil.rmtree(base)
    tiny.make_llama(base, hidden_size=64)
    with pytest.raises(OtherBaseError, match="trained on another model"):
        MaxHuggingFaceLLM(adapter, "cpu")
    with (
        pytest.warns(UserWarning, match="may mean nothing"),
        pytest.raises(OtherBaseError, match="does not fit"),
    ):
        MaxHuggingFaceLLM(adapter, "cpu", any_base=True)


def test_an_adapter_without_a_card_that_does_not_fit_is_a_sentence(
    adapter: Path, gpt2: Path
) -> None:
    (adapter / "task.json").unlink()
    with pytest.raises(OtherBaseError, match="does not fit"):
        MaxHuggingFaceLLM(adapter, "cpu", base=gpt2)


def test_a_second_adapter_is_asked_too(adapter: Path, base: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(base, tmp_path / "other"))
    change(other, 0.05)
    llm = MaxHuggingFaceLLM(other, "cpu")
    with pytest.raises(OtherBaseError):
        llm.load_adapter("mine", adapter)


def test_plain_peft_opens_what_was_saved(adapter: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    model = AutoPeftModelForCausalLM.from_pretrained(adapter).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=IDS).logits, logits(adapter))


def test_a_base_that_moved_with_its_adapter_is_found(
    adapter: Path, base: Path, tmp_path: Path
) -> None:
    before = logits(adapter)
    away = tmp_path / "away"
    away.mkdir()
    shutil.move(base, away / "mine")
    shutil.move(adapter, away / "tuned")
    torch.testing.assert_close(logits(away / "tuned"), before)
    change(away / "mine", 0.05)
    with pytest.raises(ModelError, match="is gone") as caught:
        MaxHuggingFaceLLM(away / "tuned", "cpu")
    assert "--base" in caught.value.hint


def test_an_export_names_no_folder_and_keeps_the_digest(
    adapter: Path, base: Path, tmp_path: Path
) -> None:
    export_model(choose_export("adapter", {}), adapter, tmp_path / "out")
    for path in (tmp_path / "out").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()
    torch.testing.assert_close(logits(tmp_path / "out", base=base), logits(adapter))
    change(base, 0.05)
    with pytest.raises(OtherBaseError):
        MaxHuggingFaceLLM(tmp_path / "out", "cpu", base=base)


def test_a_digest_is_of_the_weights_and_not_of_their_files(llama: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    sharded = tmp_path / "sharded"
    AutoModelForCausalLM.from_pretrained(llama).save_pretrained(sharded, max_shard_size="20KB")
    assert len(list(sharded.glob("*.safetensors"))) > 1
    assert digest_of(sharded) == digest_of(llama)


def test_a_folder_comes_before_the_hub(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(llama, tmp_path / "gpt2")
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "gpt2", "hi", "--max-new-tokens", "2"]) == 0
    assert "gpt2 is a folder here" in capsys.readouterr().err
    with pytest.warns(UserWarning, match="is a folder here"):
        assert MaxHuggingFaceLLM("gpt2", "cpu").base_folder.resolve() == tmp_path / "gpt2"
