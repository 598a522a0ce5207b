"""Useful tokens a second: our training path beside the padded Hugging Face Trainer.

Run: python -m benchmarks.training_throughput [ours|padded]

Both train the same Llama (17.3 M parameters, random weights, vocabulary 50,257) by LoRA on the
same rows, one after the other, each in its own process. Tokens count where they are no padding.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = 2.7
BATCH, WIDTH = 8, 512
STEPS = int(os.environ.get("MAXFT_BENCHMARK_STEPS", "8"))
THREADS = os.environ.get("OMP_NUM_THREADS", "2")
TEST_DATA = Path(os.environ.get("MAXFT_TEST_DATA", Path(__file__).parents[2] / "shared"))
ROWS = TEST_DATA / "data/instruction/alpaca_en_demo.json"
TOKENIZER = TEST_DATA / "models/gpt2-tokenizer"


class Clock:
    """Seconds on the wall, and of processor time, which other processes disturb less."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"wall": time.monotonic() - self.wall, "cpu": time.process_time() - self.cpu}


def make_model(folder: Path) -> None:
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50_257,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=50_256,
        eos_token_id=50_256,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(TOKENIZER).save_pretrained(folder)


def ours(folder: Path) -> dict[str, float]:
    from maxaillm.dev.finetune.attempt import Attempt
    from maxaillm.dev.finetune.config import RunConfig
    from maxaillm.dev.finetune.events import Event
    from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning

    config = RunConfig.parse(
        {
            "model": {"name": str(folder)},
            "data": {"train_file": str(ROWS), "max_length": WIDTH, "validation_share": 0},
            "training": {"max_steps": STEPS, "per_device_train_batch_size": BATCH},
            "tuning": {"name": "lora", "r": 8},
        }
    )
    clock, seen = Clock(), {"tokens": 0.0}

    def listen(event: Event) -> None:
        if event.data.get("name") == "train":
            clock.start()
        elif event.kind == "log":
            seen.update(tokens=event.data["tokens"], **clock.read())

    with Attempt(folder / "run", listen) as attempt:
        MaxHuggingFaceFineTuning(config, attempt).run()
    return seen


def padded(folder: Path) -> dict[str, float]:
    """As most examples have it: every row padded to the maximum, the model's own loss."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForLanguageModeling,
        Trainer,
        TrainingArguments,
    )

    torch.set_num_threads(int(THREADS))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    texts = [as_text(row) for row in json.loads(ROWS.read_text())[: BATCH * STEPS]]
    options = {"max_length": WIDTH, "padding": "max_length", "truncation": True}
    rows = [dict(tokenizer(text, **options)) for text in texts]
    settings = LoraConfig(
        r=8, lora_alpha=32, lora_dropout=0.1, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(folder), settings)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder / "padded"),
            max_steps=STEPS,
            per_device_train_batch_size=BATCH,
            learning_rate=2e-4,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        ),
        train_dataset=rows,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
    )
    clock = Clock()
    trainer.train()
    return {"tokens": sum(sum(row["attention_mask"]) for row in rows), **clock.read()}


def as_text(row: dict[str, str]) -> str:
    question = "\n".join(part for part in (row["instruction"], row["input"]) if part)
    return f"User: {question}\nAssistant: {row['output']}<|endoftext|>"


SIDES = {"padded": padded, "ours": ours}


def ratio(sides: dict[str, dict[str, float]], kind: str) -> float:
    ours, theirs = sides["ours"], sides["padded"]
    return (ours["tokens"] / ours[kind]) / (theirs["tokens"] / theirs[kind])


def measure(side: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.training_throughput", side, str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": THREADS, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    if len(sys.argv) == 3:
        figures = SIDES[sys.argv[1]](Path(sys.argv[2]))
        figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(figures))
        return
    sides: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder))
        for side in sys.argv[1:] or SIDES:
            figures = sides[side] = measure(side, Path(folder))
            rate, by_cpu = (figures["tokens"] / figures[kind] for kind in ("wall", "cpu"))
            print(
                f"{side:7} {rate:8,.0f} tokens/s  {by_cpu:8,.0f} tokens a processor second  "
                f"peak {figures['peak_mb']:,.0f} MB",
                flush=True,
            )
    if len(sides) == len(SIDES):
        wall, cpu = (ratio(sides, kind) for kind in ("wall", "cpu"))
        print(f"ratio {wall:.2f} x by the clock, {cpu:.2f} x by processor time; target {TARGET} x")
    print(
        f"conditions: Llama 17.3 M, LoRA r 8 on all linear layers, {ROWS.name}, {STEPS} steps of "
        f"{BATCH} x {WIDTH}, fp32, {THREADS} threads of {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main()
