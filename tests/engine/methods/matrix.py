"""Every task, family and method together: a case is trained once, saved and opened again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

from docs.method_table import refusal
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.model.loaded import LoadedModel
from maxaillm.model.opening import open_model
from tests import tiny
from tests.families import FAMILIES

HOMES = {
    "causal_lm": "llama",
    "preference": "llama",
    "seq2seq_lm": "t5",
    "sequence_classification": "bert",
    "token_classification": "bert",
    "masked_lm": "bert",
}
"""The family that each method is tried with, for a task."""
PROMPT = "red blue green"


class Case(NamedTuple):
    """What is trained: a task with a family by a method."""

    task: str
    family: str
    method: str

    def __str__(self) -> str:
        return "-".join(self)

    @property
    def refusal(self) -> str | None:
        """Why method or model declare that they do not serve the task; None: they do."""
        return refusal(*self)


class Trained(NamedTuple):
    """A tuned model as it was left by its run, and where it was saved."""

    model: Any
    folder: Path


def rows_for(task: str) -> list[dict[str, Any]]:
    """A few rows of what the task learns from."""
    words = [row["text"] for row in tiny.texts(8)]
    if task == "sequence_classification":
        return [{"text": text, "label": ("no", "yes")[n % 2]} for n, text in enumerate(words)]
    if task == "token_classification":
        return [{"tokens": t.split(), "tags": [w[0].upper() for w in t.split()]} for t in words]
    if task == "masked_lm":
        return [{"text": text} for text in words]
    if task == "preference":
        return [{"prompt": t, "chosen": "It is red.", "rejected": "It is blue."} for t in words]
    return tiny.conversations(8)


class Workshop:
    """Makes models and data once and trains in folders of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cache  # noqa: B019 - lives as long as the module's tests
    def base(self, family: str) -> Path:
        return FAMILIES[family](self.root / "models" / family)

    @cache  # noqa: B019
    def data(self, task: str) -> Path:
        return tiny.write_lines(self.root / f"{task}.jsonl", rows_for(task))

    def train(self, case: Case) -> Trained:
        """Two steps. Raises what the run raises."""
        sections: dict[str, Any] = {
            "task": case.task,
            "data": {"validation_share": 0, "max_length": 48},
            "training": {"max_steps": 2, "learning_rate": 0.01},
            "tuning": {"name": case.method},
        }
        config = RunConfig.parse(
            tiny.run_config(self.base(case.family), self.data(case.task), **sections)
        )
        with Attempt(self.root / "runs" / str(case)) as attempt:
            run = MaxHuggingFaceFineTuning(config, attempt)
            rows, held = run.prepare_data()
            trainer = run.train(*run.configure_model(), rows, held)
            return Trained(trainer.model.eval(), run.save_model(trainer))

    def open(self, case: Case, folder: Path) -> LoadedModel:
        """What the case's run saved."""
        base = self.base(case.family)
        return open_model(folder, base=base, device="cpu", precision="fp32")


@torch.no_grad()
def logits(model: Any, inputs: Mapping[str, Any]) -> torch.Tensor:
    """What a model makes of a batch; an encoder-decoder is shown a decoder's input too."""
    known = dict(inputs)
    if model.config.is_encoder_decoder and "ForCond" in type(plain(model)).__name__:
        known["decoder_input_ids"] = known["input_ids"][:, :4]
    found: torch.Tensor = model(**known).logits
    return found


def plain(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model
