"""What a run has no use for is refused in a sentence, wherever it was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.compatibility import resolve_defaults
from maxaillm.dev.finetune.config.files import read_config
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.multi_label_classification import MultiLabelClassification
from maxaillm.dev.finetune.data.examples.regression import Regression
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference
from maxaillm.dev.finetune.errors import ConfigError
from maxaillm.dev.finetune.methods import methods

LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}


def refusals(kind: type[Example], **sections: Any) -> dict[str, str]:
    """Path and message of what does not go together."""
    model = {"name": "x", **sections.pop("model", {})}
    config = RunConfig.parse({"model": model, **sections})
    try:
        resolve_defaults(config, kind, LLAMA)
    except ConfigError as error:
        return {problem.path: problem.message for problem in error.problems}
    return {}


@pytest.mark.parametrize(
    ("kind", "sections", "path", "words"),
    [
        (Classification, {"evaluation": {"max_new_tokens": 9}}, "evaluation.max_new_tokens",
         "Length of the sampled answers does not apply to the task Classification."),
        (Classification, {"data": {"train_on": "all"}}, "data.train_on",
         "Learn from does not apply to the task Classification."),
        (Regression, {"evaluation": {"metrics": ["accuracy"]}}, "evaluation.metrics",
         "Accuracy does not judge sequence_classification on texts with a score."),
        (MultiLabelClassification, {"training": {"loss": {"name": "focal"}}}, "training.loss.name",
         "Focal loss does not serve sequence_classification on"),
        (Text, {"evaluation": {"metrics": ["bleu"]}}, "evaluation.metrics",
         "BLEU does not judge causal_lm on documents."),
        (UnpairedPreference, {"training": {"loss": {"name": "dpo"}}}, "training.loss.name",
         "DPO does not serve preference on"),
        (Conversation, {"tuning": {"name": "full"}, "model": {"quantization": "4bit"}},
         "model.quantization", "Quantization does not apply to Full"),
    ],
)  # fmt: skip
def test_what_is_asked_for_in_vain_is_refused(
    kind: type[Example], sections: dict[str, Any], path: str, words: str
) -> None:
    found = refusals(kind, **sections)
    assert list(found) == [path]
    assert found[path].startswith(words)


@pytest.mark.parametrize(
    ("kind", "sections"),
    [
        (Classification, {"data": {"packing": False}}),  # so it is anyway
        (Text, {"data": {"train_on": "all"}}),
        (Conversation, {"evaluation": {"metrics": ["bleu", "perplexity"], "max_new_tokens": 9}}),
        (UnpairedPreference, {"training": {"loss": {"name": "kto"}}}),
        *((Conversation, {"tuning": {"name": name}}) for name in methods),
    ],
)
def test_what_has_a_use_or_asks_for_nothing_is_taken(
    kind: type[Example], sections: dict[str, Any]
) -> None:
    assert refusals(kind, **sections) == {}


def test_the_schema_says_what_applies_where() -> None:
    schema = RunConfig.model_json_schema()["$defs"]
    packing = schema["DataSection"]["properties"]["packing"]
    assert packing["applies_to"] == {"tasks": ["causal_lm", "seq2seq_lm"], "method": "packs"}
    assert schema["BinaryCrossEntropy"]["applies_to"] == {"tasks": ["sequence_classification"]}
    measured = schema["EvaluationSection"]["properties"]["metrics"]
    assert measured["tasks"]["bleu"] == ["causal_lm", "seq2seq_lm"]


@pytest.mark.parametrize(
    ("steps", "logging", "evaluation", "saving"),
    [(1, 1, 1, 1), (21, 1, 3, 21), (420, 1, 42, 50), (3000, 3, 300, 300), (90_000, 90, 9000, 500)],
)
def test_intervals_follow_the_length_of_the_run(
    steps: int, logging: int, evaluation: int, saving: int
) -> None:
    training = RunConfig.parse({"model": {"name": "x"}}).training
    assert tuple(training.intervals(steps)) == (logging, evaluation, saving)
    given = training.model_copy(update={"eval_steps": 7, "save_steps": 9, "logging_steps": 2})
    assert tuple(given.intervals(steps)) == (2, 7, 9)
    assert training.unreached(steps) == {}
    beyond = {"logging_steps": 2, "eval_steps": 7, "save_steps": 9} if steps == 1 else {}
    assert given.unreached(steps) == beyond


def test_a_file_may_leave_intervals_open(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"model": {"name": "x"}, "training": {"eval_steps": None}}))
    assert read_config(path).training.eval_steps is None
