"""The starter models, the sample dataset and its recipe: what works without a download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class StarterModel:
    """A base model inside the package: a Hugging Face folder and what to tell about it."""

    name: str
    path: Path
    title: str
    description: str


STARTER_MODELS: dict[str, StarterModel] = {
    model.name: model
    for model in (
        StarterModel(
            name="starter/chat",
            path=FOLDER / "chat",
            title="Starter chat model, 3.4 M parameters",
            description="A very small Llama that knows the form of a chat and little else. "
            "It trains in a minute on a processor; it is made to be tuned, not to be asked.",
        ),
    )
}

SAMPLE_NAME = "MaxFT guide"
SAMPLE = FOLDER / "samples" / "maxft_guide.jsonl"

# What "Train the sample" runs, in the shape of a RunConfig; the caller adds the dataset.
# All weights are trained: this base knows too little for a low-rank change to be enough (LoRA of
# rank 32 answered 37 % of the held-out questions where full tuning answered 66 %). Many small
# steps learn more a second than few large ones.
SAMPLE_RECIPE: dict[str, Any] = {
    "name": "maxft-guide",
    "provider": "hugging_face",
    "task": "causal_lm",
    "model": {"name": "starter/chat"},
    "data": {"max_length": 256, "packing": True, "train_on": "answers"},
    "training": {
        "num_train_epochs": 6,
        "per_device_train_batch_size": 1,
        "learning_rate": 2e-3,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 20,
        "weight_decay": 0.0,
        "seed": 42,
        "eval_steps": 100,
        "save_steps": 200,
    },
    "tuning": {"name": "full"},
    "evaluation": {
        "metrics": ["perplexity", "answers_right"],
        "sample_prompts": [
            "How can I end a run early and keep its model?",
            "Tell me how LoRA works.",
        ],
        "max_new_tokens": 64,
    },
}


def resolve(name: str) -> Path | None:
    """The folder of a starter model, or None for every other name."""
    model = STARTER_MODELS.get(name)
    return model.path if model else None
