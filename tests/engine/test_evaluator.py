"""ModelEvaluator: figures equal to a hand's, from data of any kind, with metrics of one's own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import sacrebleu
import torch
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    T5Config,
    T5ForConditionalGeneration,
)

from maxaillm.dev.finetune.base import ModelEvaluator
from maxaillm.dev.finetune.errors import (
    ConfigError,
    DataError,
    OutOfMemoryError,
    UnknownComponentError,
)
from tests import tiny


class Side(NamedTuple):
    model: Any
    tokenizer: Any


@pytest.fixture(scope="module")
def chat(llama: Path) -> Side:
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    return Side(model, AutoTokenizer.from_pretrained(llama))


def custom_accuracy_metric(eval_pred: Any) -> dict[str, float]:
    """As the specification has it."""
    predictions, labels = eval_pred
    predictions = np.argmax(predictions, axis=-1)
    predictions = predictions[labels != -100]
    labels = labels[labels != -100]
    return {"own_accuracy": (predictions == labels).mean()}


def test_texts_are_measured_by_every_kind_of_metric(chat: Side) -> None:
    rows = tiny.conversations(8)
    names = ["bleu", "rouge", "perplexity", "accuracy"]
    chat.model.train()
    evaluator = ModelEvaluator(metrics=names, task_type="text_generation")
    results = evaluator.evaluate(model=chat.model, eval_dataset=rows, tokenizer=chat.tokenizer)
    assert chat.model.training, "the model is left as it was"
    assert results["rows"] == results["answered_rows"] == 8
    assert set(results["rouge"]) == {"rouge1", "rouge2", "rougeL"}
    assert results["perplexity"] == pytest.approx(math.exp(results["eval_loss"]))
    total, right, count = by_hand(chat, rows)
    assert results["perplexity"] == pytest.approx(math.exp(total / count), rel=1e-5)
    assert results["accuracy"] == right / count


def by_hand(side: Side, rows: list[dict[str, Any]]) -> tuple[float, int, int]:
    """Loss, hits and number of the tokens of the answers, row by row."""
    total, right, count = 0.0, 0, 0
    for row in rows:
        question, answer = row["messages"]
        told = side.tokenizer.apply_chat_template(
            [question], tokenize=False, add_generation_prompt=True
        )
        before = len(side.tokenizer(told, add_special_tokens=False).input_ids)
        whole = told + answer["content"] + "<|im_end|>"
        ids = torch.tensor([side.tokenizer(whole, add_special_tokens=False).input_ids])
        with torch.no_grad():
            logits = side.model.eval()(ids).logits[0, before - 1 : -1]
        targets = ids[0, before:]
        total += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
        right += int((logits.argmax(-1) == targets).sum())
        count += len(targets)
    return total, right, count


def test_bleu_is_that_of_the_answers(chat: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    from maxaillm.dev.finetune.hf.training.tasks.causal_lm import CausalLM
    from maxaillm.dev.finetune.metrics import Answered

    said = [Answered("It is very blue.", "It is blue now."), Answered("Red it is.", "It is red.")]
    monkeypatch.setattr(CausalLM, "answer", lambda *_: said)
    results = ModelEvaluator(["bleu"]).evaluate(chat.model, tiny.conversations(2), chat.tokenizer)
    answers, references = [row.answer for row in said], [[row.reference for row in said]]
    assert results["bleu"] == pytest.approx(sacrebleu.corpus_bleu(answers, references).score)


def test_data_of_every_kind_give_the_same(chat: Side, tmp_path: Path) -> None:
    rows = tiny.conversations(6)
    path = tiny.write_lines(tmp_path / "rows.jsonl", rows)
    evaluator = ModelEvaluator(["perplexity"])
    found = [
        evaluator.evaluate(chat.model, dataset, chat.tokenizer)["perplexity"]
        for dataset in (rows, Dataset.from_list(rows), path, str(path))
    ]
    assert found == [found[0]] * 4


def test_tokenised_rows_are_taken_as_they_are(chat: Side) -> None:
    texts = tiny.texts(5)
    encoded = chat.tokenizer(
        [row["text"] + "<|im_end|>" for row in texts], padding=True, add_special_tokens=False
    )
    tokens = Dataset.from_dict(dict(encoded))
    evaluator = ModelEvaluator(["perplexity", "accuracy"])
    expected = evaluator.evaluate(chat.model, texts, chat.tokenizer)
    found = evaluator.evaluate(chat.model, tokens, chat.tokenizer)
    assert found["perplexity"] == pytest.approx(expected["perplexity"], rel=1e-6)
    assert found["accuracy"] == expected["accuracy"]


def test_a_metric_of_ones_own_sees_logits_at_their_labels(chat: Side) -> None:
    evaluator = ModelEvaluator(["accuracy", custom_accuracy_metric], batch_size=3)
    results = evaluator.evaluate(chat.model, tiny.conversations(7), chat.tokenizer)
    assert results["own_accuracy"] == results["accuracy"]


def test_an_interval_comes_with_each_metric(chat: Side) -> None:
    evaluator = ModelEvaluator(["perplexity"], intervals=True)
    results = evaluator.evaluate(chat.model, tiny.conversations(8), chat.tokenizer)
    low, high = results["perplexity_interval"]
    assert low < results["perplexity"] < high


ENCODER: dict[str, Any] = {
    "vocab_size": tiny.SIZE,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "id2label": {0: "cold", 1: "warm", 2: "odd"},
}


def test_classes_are_those_of_the_models_head(chat: Side) -> None:
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**ENCODER))
    rows = [
        {"text": f"{word} {n}", "label": ["odd", "warm"][n % 2]}
        for n, word in enumerate(tiny.WORDS)
    ]
    evaluator = ModelEvaluator(["accuracy", "mcc", custom_accuracy_metric], "text-classification")
    results = evaluator.evaluate(model, rows, chat.tokenizer)
    model.eval()
    told = []
    for row in rows:
        encoded = chat.tokenizer(row["text"], return_tensors="pt")
        logits = model(encoded.input_ids, encoded.attention_mask).logits
        told.append(ENCODER["id2label"][int(logits.argmax())])
    expected = np.mean([word == row["label"] for word, row in zip(told, rows, strict=True)])
    assert results["accuracy"] == results["own_accuracy"] == expected


def test_words_are_classified(chat: Side) -> None:
    torch.manual_seed(0)
    model = BertForTokenClassification(BertConfig(**ENCODER))
    rows = [
        {"tokens": ["so", word], "tags": ["odd", "cold" if n % 3 else "warm"]}
        for n, word in enumerate(tiny.WORDS)
    ]
    evaluator = ModelEvaluator(["accuracy", custom_accuracy_metric], "token_classification")
    results = evaluator.evaluate(model, rows, chat.tokenizer)
    assert results["accuracy"] == results["own_accuracy"]
    assert results["rows"] == len(rows)


def test_a_model_with_an_encoder_generates_texts_too(chat: Side) -> None:
    torch.manual_seed(0)
    sizes = {"d_model": 32, "d_ff": 48, "d_kv": 8, "num_layers": 1, "num_heads": 4}
    tokens = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 4}
    model = T5ForConditionalGeneration(T5Config(vocab_size=tiny.SIZE, **sizes, **tokens))
    evaluator = ModelEvaluator(["chrf", "perplexity", "accuracy", custom_accuracy_metric])
    results = evaluator.evaluate(model, tiny.conversations(6), chat.tokenizer)
    assert results["own_accuracy"] == results["accuracy"]
    assert results["chrf"] >= 0
    assert results["answered_rows"] == 6


@pytest.mark.parametrize(
    ("metrics", "task_type", "error", "words"),
    [
        (["blue"], "text_generation", UnknownComponentError, "Did you mean 'bleu'?"),
        (["bleu"], "text_classification", ConfigError, "BLEU does not judge"),
        (["bleu"], "poetry", ConfigError, "no task of this name"),
    ],
)
def test_what_can_not_be_measured_is_said_at_once(
    metrics: list[str], task_type: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        ModelEvaluator(metrics, task_type)


def test_data_that_can_not_be_measured_is_said(chat: Side) -> None:
    with pytest.raises(DataError, match="BLEU can't be made of these rows"):
        ModelEvaluator(["bleu"]).evaluate(chat.model, tiny.texts(3), chat.tokenizer)
    with pytest.raises(DataError, match="has parts: test"):
        ModelEvaluator(["bleu"]).evaluate(chat.model, {"test": tiny.texts(3)}, chat.tokenizer)


def test_preferences_are_measured_but_by_no_function(chat: Side) -> None:
    rows = [
        {"prompt": "What?", "chosen": f"It is {word}.", "rejected": "No."} for word in tiny.WORDS
    ]
    results = ModelEvaluator(["preferred"], "preference").evaluate(chat.model, rows, chat.tokenizer)
    assert 0 <= results["preferred"] <= 1
    with pytest.raises(DataError, match="several texts"):
        ModelEvaluator([custom_accuracy_metric], "preference").evaluate(
            chat.model, rows, chat.tokenizer
        )


def test_logits_that_would_fill_the_memory_are_refused(
    chat: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maxaillm.dev.finetune.hf.evaluation import inputs

    little = type("Memory", (), {"available": 1000})
    monkeypatch.setattr(inputs.psutil, "virtual_memory", little)
    with pytest.raises(OutOfMemoryError, match="logits of all rows take"):
        ModelEvaluator([custom_accuracy_metric]).evaluate(
            chat.model, tiny.conversations(4), chat.tokenizer
        )
