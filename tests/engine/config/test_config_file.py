"""Configurations from files: plain data only, every mistake at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.config.files import MAX_BYTES, read_config
from maxaillm.dev.finetune.errors import ConfigError

YAML = """
model: {name: starter/chat}
training:
  learning_rate: 2.0e-4
tuning: {r: 4}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def test_options_of_the_command_line_win(tmp_path: Path) -> None:
    path = written(tmp_path, YAML)
    config = read_config(path, ["training.max_steps=7", "tuning.lora_alpha=16", "name=x"])
    assert config.training.max_steps == 7
    assert config.tuning.model_dump()["lora_alpha"] == 16
    assert config.tuning.model_dump()["r"] == 4
    assert config.name == "x"


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, YAML)
    with pytest.raises(ConfigError) as caught:
        read_config(path, ["training.learning_rte=1", "tuning.r=0", "data.max_length=abc"])
    assert {problem.path for problem in caught.value.problems} == {
        "training.learning_rte",
        "tuning.r",
        "data.max_length",
    }


@pytest.mark.parametrize(
    "text",
    [
        "model: !!python/object/apply:os.system [id]",
        "a: &a [1]\nb: *a",
        "x" * (MAX_BYTES + 1),
        "[" * 5000,
        "a: " + "[" * 40 + "]" * 40,
        "just text",
        "",
        "model: {name: [}",
        "\0",
    ],
)
def test_case_30_odd_files_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read_config(written(tmp_path, text))


def test_exit_codes_tell_what_kind_of_mistake_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(written(tmp_path, YAML))
    folder = ["--folder", str(tmp_path / "run")]
    assert main(["train", path, "tuning.r=0", *folder]) == 2
    assert main(["train", path, *folder]) == 3  # no training file
    assert main(["train", path, "model.name=./missing", *folder]) == 4
    assert "starts with / or ./" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "path", "guess"),
    [
        ("tuning.name=lorra", "tuning.name", "lora"),
        ("training.loss={name: focl}", "training.loss.name", "focal"),
        ("training.lerning_rate=1", "training.lerning_rate", "learning_rate"),
        ("model.precision=fp23", "model.precision", "fp32"),
        ("evaluation.metrics=[perplexty]", "evaluation.metrics.0", "perplexity"),
        ("task=causal_ml", "task", "causal_lm"),
    ],
)
def test_a_name_that_is_nearly_right_is_guessed(
    tmp_path: Path, override: str, path: str, guess: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(written(tmp_path, YAML), [override])
    (problem,) = caught.value.problems
    assert problem.path == path
    assert f"Did you mean {guess!r}?" in problem.message
    assert guess in problem.allowed
