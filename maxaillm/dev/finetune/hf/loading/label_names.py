"""Label names of a classifier: the words it says, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maxaillm.dev.finetune.model_files.card import generic_labels, labels_of


def known_labels(settings: Mapping[str, Any], counts: Mapping[str, int]) -> Sequence[str]:
    """The labels in the order of the head's outputs.

    A model that was tuned on these labels before keeps its order, and with it its head; else
    they are sorted, numbers by their value.
    """
    own = own_labels(settings)
    if own and counts.keys() <= set(own):
        return own
    return sorted(
        counts,
        key=lambda label: (not is_number(label), float(label) if is_number(label) else 0.0, label),
    )


def own_labels(settings: Mapping[str, Any]) -> list[str]:
    """The labels that a model's `config.json` names, or none where it names none of its own."""
    names = labels_of(settings)
    return [] if names == generic_labels(len(names)) else names


def label_options(labels: Sequence[str]) -> dict[str, Any]:
    """The labels as `from_pretrained` takes them."""
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
    }


def is_number(label: str) -> bool:
    try:
        return float(label) == float(label)
    except ValueError:
        return False
