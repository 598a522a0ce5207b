"""Base and tuned model, judged by what they answer to the rows a file holds out."""

import json

from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.estimate import estimate
from maxaillm.dev.finetune.metrics import Answered, score
from maxaillm.dev.finetune.metrics.answers_right import AnswersRight
from maxaillm.dev.finetune.run.events import RunFolder, read_journal
from tests.tiny import make_llama


def test_case_punctuation_and_spaces_do_not_matter():
    answered = [Answered("It is  blue", "It is blue."), Answered("Red.", "It is red.")]
    assert score(AnswersRight(), answered) == 0.5


def test_what_the_base_model_gets_wrong_the_tuned_one_gets_right(tmp_path):
    make_llama(tmp_path / "model")
    row = {"prompt": "What?", "completion": "Blue."}
    rows = [row | {"split": "train"}] * 8 + [row | {"split": "validation"}] * 3
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = {
        "model": {"name": str(tmp_path / "model")},
        "data": {"train_file": str(tmp_path / "rows.jsonl"), "max_length": 64},
        "training": {"max_steps": 60, "learning_rate": 0.01, "eval_steps": 30, "save_steps": 60},
        "tuning": {"name": "full"},
        "evaluation": {"metrics": ["perplexity", "answers_right"]},
    }
    (tmp_path / "run.json").write_text(json.dumps(config))
    folder = RunFolder(tmp_path / "run")
    assert main(["train", str(tmp_path / "run.json"), "--folder", str(folder.root)]) == 0
    evals = {
        event.step: event.data for event in read_journal(folder.journal) if event.kind == "eval"
    }
    assert [evals[step].get("answers_right") for step in (0, 30, 60)] == [0, None, 1]
    assert evals[0]["rows"] == evals[60]["answered_rows"] == 3
    assert evals[60]["perplexity"] < evals[0]["perplexity"]


def test_the_estimate_counts_only_rows_for_training(tmp_path):
    make_llama(tmp_path / "model")
    row = {"prompt": "What?", "completion": "Blue."}
    rows = [row | {"split": "train"}] * 8 + [row | {"split": "validation"}] * 24
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = {
        "model": {"name": str(tmp_path / "model")},
        "data": {"train_file": str(tmp_path / "rows.jsonl"), "packing": False},
        "training": {"num_train_epochs": 1, "per_device_train_batch_size": 1},
    }
    assert estimate(RunConfig.parse(config)).steps == 8
