"""What `estimate` says a run needs beside what the run then takes.

Run: python -m benchmarks.estimate_accuracy [part of a case's name]

Each case trains a model with random weights for a few steps in a process of its own, as the
command does. Measured is the most memory that the process ever held (its maximum resident set),
which other programs on the machine do not change; seconds they do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.estimate import Estimate, estimate
from maxaillm.dev.finetune.processes.resources import peak_rss_bytes

TARGET = 0.2
"""How far a prediction may be from what was measured."""
STEPS = 3
WORDS = (
    "round",
    "soft",
    "loud",
    "cold",
    "warm",
    "small",
    "old",
    "quick",
    "kind",
    "red",
    "blue",
    "green",
)
FOLDER = Path(__file__).parents[1]


class Size(NamedTuple):
    """What makes a model large; encoder-decoders have half of the layers on each side."""

    vocabulary: int
    width: int
    layers: int
    heads: int


SIZES = {
    "small": Size(8_192, 256, 4, 4),  # 5 M parameters
    "medium": Size(16_384, 384, 6, 6),  # 17 M
    "large": Size(16_384, 512, 8, 8),  # 34 M
}


class Case(NamedTuple):
    """A run."""

    family: str
    size: str
    task: str
    method: str
    batch: int
    length: int
    recompute: bool = False
    packing: bool = True

    def __str__(self) -> str:
        words = [self.family, self.size, self.task, self.method, f"{self.batch}x{self.length}"]
        return " ".join(words + ["recompute"] * self.recompute + ["padded"] * (not self.packing))


CAUSAL, PAIRS, CLASSES, MASKED = "causal_lm", "seq2seq_lm", "sequence_classification", "masked_lm"
CASES = (
    Case("llama", "small", CAUSAL, "lora", 8, 256),
    Case("llama", "medium", CAUSAL, "full", 4, 256),
    Case("llama", "large", CAUSAL, "lora", 4, 512),
    Case("llama", "large", CAUSAL, "full", 4, 256, recompute=True),
    Case("llama", "medium", CAUSAL, "prefix", 8, 128),
    Case("llama", "medium", CLASSES, "lora", 4, 256),
    Case("gpt2", "small", CAUSAL, "full", 16, 128),
    Case("gpt2", "medium", CAUSAL, "lora", 8, 128, recompute=True),
    Case("gpt2", "medium", CAUSAL, "ia3", 4, 256, packing=False),
    Case("t5", "small", PAIRS, "ia3", 8, 256),
    Case("t5", "medium", PAIRS, "full", 8, 128, recompute=True),
    Case("t5", "medium", PAIRS, "lora", 4, 256),
    Case("bert", "small", MASKED, "lora", 8, 256),
    Case("bert", "medium", MASKED, "full", 8, 128),
    Case("bert", "medium", CLASSES, "full", 4, 512),
    Case("bert", "medium", CLASSES, "lora", 8, 256, recompute=True),
)


class Outcome(NamedTuple):
    predicted: Estimate
    peak_bytes: int

    @property
    def ratio(self) -> float:
        return self.predicted.memory_bytes.total / self.peak_bytes


def make_model(folder: Path, family: str, size: Size) -> Path:
    """A model with random weights and one token a byte. Its vocabulary is larger than that."""
    import torch
    import transformers

    from tests.families import save_encoder_tokenizer
    from tests.tiny import save_tokenizer

    torch.manual_seed(0)
    class_name, settings = SHAPES[family](size)
    config = getattr(transformers, settings.pop("config"))(pad_token_id=0, **settings)
    getattr(transformers, class_name)(config).save_pretrained(folder)
    return (
        save_tokenizer(folder)
        if "Causal" in class_name or "LMHead" in class_name
        else save_encoder_tokenizer(folder, *["$A <|eos|>"] * (family == "t5"))
    )


def llama(size: Size) -> tuple[str, dict[str, Any]]:
    return "LlamaForCausalLM", {
        "config": "LlamaConfig",
        "vocab_size": size.vocabulary,
        "hidden_size": size.width,
        "intermediate_size": size.width * 11 // 4,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.heads // 2,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 4,
    }


def gpt2(size: Size) -> tuple[str, dict[str, Any]]:
    return "GPT2LMHeadModel", {
        "config": "GPT2Config",
        "vocab_size": size.vocabulary,
        "n_embd": size.width,
        "n_layer": size.layers,
        "n_head": size.heads,
        "n_positions": 1024,
        "bos_token_id": 1,
        "eos_token_id": 4,
    }


def t5(size: Size) -> tuple[str, dict[str, Any]]:
    return "T5ForConditionalGeneration", {
        "config": "T5Config",
        "vocab_size": size.vocabulary,
        "d_model": size.width,
        "d_kv": size.width // size.heads,
        "d_ff": size.width * 4,
        "num_layers": size.layers // 2,
        "num_heads": size.heads,
        "eos_token_id": 2,
        "decoder_start_token_id": 0,
    }


def bert(size: Size) -> tuple[str, dict[str, Any]]:
    return "BertForMaskedLM", {
        "config": "BertConfig",
        "vocab_size": size.vocabulary,
        "hidden_size": size.width,
        "intermediate_size": size.width * 4,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "max_position_embeddings": 1024,
    }


SHAPES = {"llama": llama, "gpt2": gpt2, "t5": t5, "bert": bert}


def text(number: int, length: int) -> str:
    """So many bytes, which are as many tokens."""
    words = (WORDS[(number * 7 + k * k) % 12] for k in range(length))
    return " ".join(words)[:length]


def row_of(task: str, number: int, length: int) -> dict[str, Any]:
    """A row of 20 to 120 % of the maximum length, or a text of as many tokens."""
    wanted = length * (20 + number * 37 % 101) // 100
    if task == MASKED:
        return {"text": text(number, wanted)}
    if task == CLASSES:
        return {"text": text(number, wanted), "label": WORDS[number % 4]}
    if task == PAIRS:
        return {"prompt": text(number, wanted), "completion": text(number + 1, wanted // 2)}
    half = max(wanted // 2 - 20, 4)
    return {"prompt": text(number, half), "completion": text(number + 1, half)}


class Workshop:
    """Makes each model once, and runs cases in folders of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cache  # noqa: B019 - lives as long as the program
    def model(self, family: str, size: str) -> Path:
        return make_model(self.root / f"{family}-{size}", family, SIZES[size])

    def settings(self, case: Case) -> dict[str, Any]:
        data = self.root / f"{case.task}-{case.batch}-{case.length}.jsonl"
        count = case.batch * STEPS * 10 // 9  # all are seen, so the largest batch is among them
        rows = (row_of(case.task, number, case.length) for number in range(count))
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return {
            "task": case.task,
            "model": {
                "name": str(self.model(case.family, case.size)),
                "gradient_checkpointing": case.recompute,
            },
            "data": {
                "train_file": str(data),
                "max_length": case.length,
                "packing": case.packing,
                "validation_share": 0.1,
            },
            "training": {
                "max_steps": STEPS,
                "per_device_train_batch_size": case.batch,
                "learning_rate": 1e-5,
            },
            "tuning": {"name": case.method},
            "evaluation": {"metrics": ["perplexity"]} if case.task == PAIRS else {},
        }

    def run(self, case: Case) -> Outcome:
        settings = self.settings(case)
        predicted = estimate(RunConfig.parse(settings))
        file = self.root / "run.json"
        file.write_text(json.dumps(settings))
        run = self.root / str(case).replace(" ", "-")
        command = [sys.executable, "-m", "maxaillm.dev.finetune", "train", str(file)]
        with (self.root / "output.txt").open("w") as output:
            process = subprocess.Popen(
                [*command, "--json", "--folder", str(run)], cwd=FOLDER, stdout=output, stderr=output
            )
            _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{case}: {(self.root / 'output.txt').read_text()[-2000:]}")
        return Outcome(predicted, peak_rss_bytes(used))


def main(wanted: str = "") -> None:
    worst: tuple[float, str] = (1.0, "none")
    print(f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}, {STEPS} steps each")
    print(f"{'case':58} predicted measured ratio")
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder))
        for case in CASES:
            if wanted not in str(case):
                continue
            found = workshop.run(case)
            needed = found.predicted.memory_bytes.total
            line = f"{needed / 1e6:6.0f} MB {found.peak_bytes / 1e6:5.0f} MB {found.ratio:5.2f}"
            print(f"{case!s:58} {line}", flush=True)
            worst = max(worst, (found.ratio, str(case)), key=lambda pair: abs(pair[0] - 1))
    print(f"worst: {worst[0]:.2f} at {worst[1]}; the target is within {TARGET:.0%}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
