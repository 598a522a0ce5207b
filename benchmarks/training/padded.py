"""The Hugging Face Trainer as most examples have it: every row padded, the model's own loss."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.training.clock import Clock, Figures
from benchmarks.training.works import LEARNING_RATE, STEPS, Work

Rows = list[dict[str, Any]]


def train(work: Work, folder: Path) -> Figures:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer, Trainer, TrainerCallback, TrainingArguments

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    model, rows = SIDES[work.task](work, folder, tokenizer)
    if work.tuning["name"] == "lora":
        options = {name: value for name, value in work.tuning.items() if name != "name"}
        lora = LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM", **options)
        model = get_peft_model(model, lora)
    clock = Clock()

    class Steps(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock.start()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step()

    arguments = TrainingArguments(
        output_dir=str(folder / "padded"),
        max_steps=STEPS,
        per_device_train_batch_size=work.batch,
        learning_rate=LEARNING_RATE,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[Steps()])
    trainer.train()
    return clock.read(sum(useful_tokens(row) for row in rows))


def useful_tokens(row: dict[str, Any]) -> int:
    """What is read, and what is written where that is another text; no padding."""
    read, labels = sum(row["attention_mask"]), row["labels"]
    written = sum(label != -100 for label in labels) if isinstance(labels, list) else 0
    is_pair = isinstance(labels, list) and labels != learned(row)
    return read + (written if is_pair else 0)


def padding(work: Work) -> dict[str, Any]:
    return {"max_length": work.width, "padding": "max_length", "truncation": True}


def learned(encoded: dict[str, Any]) -> list[int]:
    """Labels: the tokens, but not the padding."""
    pairs = zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
    return [token if used else -100 for token, used in pairs]


def causal_lm(work: Work, folder: Path, tokenizer: Any) -> tuple[Any, Rows]:
    from transformers import AutoModelForCausalLM

    rows = []
    for question, answer in instructions(work):
        text = f"User: {question}\nAssistant: {answer}<|endoftext|>"
        encoded = dict(tokenizer(text, **padding(work)))
        rows.append({**encoded, "labels": learned(encoded)})
    return AutoModelForCausalLM.from_pretrained(folder), rows


def seq2seq_lm(work: Work, folder: Path, tokenizer: Any) -> tuple[Any, Rows]:
    from transformers import AutoModelForSeq2SeqLM

    rows = []
    for question, answer in instructions(work):
        encoded = dict(tokenizer(question, **padding(work)))
        labels = learned(dict(tokenizer(answer, **padding(work))))
        rows.append({**encoded, "labels": labels})
    return AutoModelForSeq2SeqLM.from_pretrained(folder), rows


def classification(work: Work, folder: Path, tokenizer: Any) -> tuple[Any, Rows]:
    from transformers import AutoModelForSequenceClassification

    with work.rows.open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    names = sorted({row["category"] for row in found})
    spread = found[:: len(found) // (work.batch * STEPS)][: work.batch * STEPS]
    rows = [
        {**tokenizer(row["text"], **padding(work)), "labels": names.index(row["category"])}
        for row in spread
    ]
    return AutoModelForSequenceClassification.from_pretrained(folder), rows


def instructions(work: Work) -> list[tuple[str, str]]:
    """As many questions, with their answers, as the steps need."""
    found = json.loads(work.rows.read_text(encoding="utf-8"))[: work.batch * STEPS]
    return [
        ("\n".join(part for part in (row["instruction"], row["input"]) if part), row["output"])
        for row in found
    ]


SIDES: dict[str, Callable[[Work, Path, Any], tuple[Any, Rows]]] = {
    "causal_lm": causal_lm,
    "seq2seq_lm": seq2seq_lm,
    "sequence_classification": classification,
}
