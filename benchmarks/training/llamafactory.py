"""LLaMA-Factory with `packing: true`, in its own virtual environment; see `../README.md`."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.training.clock import Clock, Figures
from benchmarks.training.works import DROPOUT, LEARNING_RATE, STEPS, Work


def settings(work: Work, folder: Path) -> dict[str, Any]:
    (folder / "dataset_info.json").write_text(
        json.dumps({"rows": {"file_name": str(work.rows), "formatting": "alpaca"}})
    )
    lora = {"lora_rank": 8, "lora_alpha": 32, "lora_dropout": DROPOUT, "lora_target": "all"}
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": str(folder),
        "dataset": "rows",
        "dataset_dir": str(folder),
        "template": "default",
        "cutoff_len": work.width,
        "packing": True,
        "finetuning_type": work.tuning["name"],
        **(lora if work.tuning["name"] == "lora" else {}),
        "output_dir": str(folder / "peer"),
        "per_device_train_batch_size": work.batch,
        "max_steps": STEPS,
        "learning_rate": LEARNING_RATE,
        "disable_gradient_checkpointing": True,
        "use_cpu": True,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1000,
        "disable_tqdm": True,
    }


def train(work: Work, folder: Path) -> Figures:
    from transformers import TrainerCallback

    clock, tokens = Clock(), 0.0

    class Steps(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **options: Any) -> None:
            nonlocal tokens
            rows = options["train_dataloader"].dataset
            used = [length(row["input_ids"], work.width) for row in rows]
            tokens = STEPS * work.batch * sum(used) / len(used)
            clock.start()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step()

    peer = import_module("llamafactory.train.tuner")
    peer.run_exp(settings(work, folder), callbacks=[Steps()])
    return clock.read(tokens)


def length(ids: list[int], width: int) -> int:
    """Positions before the padding; of the end tokens, with which it pads, one is a token."""
    end = ids[-1]
    padding = 0
    while padding < len(ids) and ids[-1 - padding] == end:
        padding += 1
    return min(len(ids) - padding + 1, width)
