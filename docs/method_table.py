"""Writes docs/methods.md: which method serves which task on which family.

Run: python -m docs.method_table [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from inspect import getdoc
from itertools import product
from pathlib import Path
from typing import Any

from docs.generated import write_or_check
from maxaillm.dev.finetune.config import RunConfig, recommended
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.hf.training.tasks import model_task
from maxaillm.dev.finetune.methods import TuneMethod, methods
from maxaillm.dev.finetune.tasks import TASKS

PAGE = Path(__file__).with_name("methods.md")
FAMILIES = {
    "gpt2": "GPT2LMHeadModel",
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "mistral": "MistralForCausalLM",
    "gemma": "GemmaForCausalLM",
    "phi3": "Phi3ForCausalLM",
    "t5": "T5ForConditionalGeneration",
    "bart": "BartForConditionalGeneration",
    "blenderbot": "BlenderbotForConditionalGeneration",
    "bert": "BertForMaskedLM",
    "roberta": "RobertaForMaskedLM",
    "distilbert": "DistilBertForMaskedLM",
}
"""The models that are tried, and the class that their `config.json` names."""
TEXT = """\
# Tuning methods

Made from the methods' own classes by `python -m docs.method_table`. Each combination that is
marked here trains, saves, opens again and says the same; each other one is refused before a
weight is loaded, with the reason: `tests/engine/methods` tries both with models of two
layers (`pytest -m slow tests/engine/methods/test_matrix.py`: every method with every family).

## What each is for

{uses}

The learning rate is what a run takes where it names none and the base has {usual:,} parameters
or more; a smaller base takes as many times more as it is smaller, up to {most:g} times, but not
above {highest:g}, and for classes the root of that (`config/recommended.py`, by
`benchmarks/defaults_sweep.py`). Merges: the tuned
model can be made one of its base's own kind. Packs: rows may share a sequence and can't see each
other. Few bits: the base may be held in so many bits while the method is trained on it.

## Method and task

{by_method}

Some of these do not go with every family:

{exceptions}

## Family and task

{by_family}
"""


def main() -> int:
    return write_or_check(PAGE, text())


def text() -> str:
    heads = ["Method", "`tuning.name`", "What for", "Cost", "Learning rate"]
    uses = table([*heads, "Merges", "Packs", "Few bits"], map(use, methods.values()))
    by_method = ([method.label, *marks(method.tasks)] for method in methods.values())
    by_family = (
        [family, *marks(task for task in TASKS if family_refusal(task, family) is None)]
        for family in FAMILIES
    )
    return TEXT.format(
        uses=uses,
        usual=recommended.USUAL_PARAMETERS,
        most=recommended.MOST_FACTOR,
        highest=recommended.MOST_RATE,
        by_method=table(["Method", *TASKS], by_method),
        exceptions=table(["Method", "Task", "Not with"], exceptions()),
        by_family=table(["Family", *TASKS], by_family),
    )


def exceptions() -> Iterator[list[str]]:
    """The families that a method refuses for a task which both of them serve otherwise."""
    for method, task in product(methods.values(), TASKS):
        able = [family for family in FAMILIES if family_refusal(task, family) is None]
        refused = [family for family in able if method.refusal(task, family)]
        if refused and task in method.tasks:
            yield [method.label, task, ", ".join(refused)]


def use(method: type[TuneMethod]) -> list[str]:
    """A method's line: its own words and figures."""
    purpose = " ".join((getdoc(method) or "").partition("\n\n")[0].split())
    bits = ", ".join(sorted(bits.removesuffix("bit") for bits in method.quantizes))
    return [
        method.label,
        f"`{method.model_fields['name'].default}`",
        purpose,
        method.costs,
        f"{method.recommended_learning_rate:g}",
        said(method.merges),
        said(method.packs),
        bits or "no",
    ]


def said(yes: bool) -> str:  # noqa: FBT001 - what it is about is the column's head
    return "yes" if yes else "no"


def marks(tasks: Iterable[str]) -> list[str]:
    served = set(tasks)
    return ["✓" if task in served else "–" for task in TASKS]


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def refusal(task: str, family: str, method: str) -> str | None:
    """Why method or model declare that they do not serve the task; None: they do."""
    return methods[method].refusal(task, family) or family_refusal(task, family)


def family_refusal(task: str, family: str) -> str | None:
    """Why a task says that it can't be done with models of a family."""
    config = RunConfig.parse({"model": {"name": family}, "task": task})
    architecture = FAMILIES[family]
    settings: dict[str, Any] = {"model_type": family, "architectures": [architecture]}
    settings["is_encoder_decoder"] = architecture.endswith("ForConditionalGeneration")
    try:
        model_task(task)(config).check_model(family, settings)
    except ModelError as error:
        return error.message
    return None


if __name__ == "__main__":
    sys.exit(main())
