"""Recommended defaults that depend on the base model's size and on the number of rows.

What papers recommend holds for models of a hundred million parameters and more. Below, and for
files of some hundred rows, the figures are those of `benchmarks/defaults_sweep.py`.
"""

from __future__ import annotations

from math import ceil

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.estimate import local_folder
from maxaillm.dev.finetune.estimate.about import about
from maxaillm.dev.finetune.tasks import TASKS

USUAL_PARAMETERS = 100_000_000
"""From here on a method's own learning rate holds: BERT base, the smallest of the papers, has 110
million."""
MOST_FACTOR = 10.0
"""The sweep: models of 0.2 to 3.4 million parameters gained most at ten times full fine-tuning's
rate, or as good as most. With LoRA, texts go on to gain up to thirty times, while classes and names
are lost there."""
MOST_RATE = 0.02
"""Where that would lead higher, for methods whose own rate is high."""


def rate_factor(parameters: int) -> float:
    """What a method's learning rate is multiplied by for a small base model."""
    return min(max(1.0, USUAL_PARAMETERS / max(1, parameters)), MOST_FACTOR)


def learning_rate_for(rate: float, parameters: int | None, task: str | None) -> float:
    """Of a method's own learning rate, for a base of so many parameters and a task, as far as
    they are known."""
    about_task = TASKS[task or "causal_lm"]
    if parameters is not None:
        factor = rate_factor(parameters) ** about_task.size_exponent
        rate = max(rate, min(rate * factor, MOST_RATE))
    return rate * about_task.learning_rate_factor


def parameters_of(name: str) -> int | None:
    """How many a base model has; None where it is not on this machine. Nothing is fetched."""
    try:
        found = about(local_folder(name))
    except ModelError:
        return None
    return found.parameters if found else None


LEAST_STEPS = 100
"""The sweep: its runs gained in some hundred steps, while fifteen epochs of a hundred instructions
over-fitted."""
USUAL_EPOCHS, MOST_EPOCHS = 3, 10
"""Three are usual: Alpaca (Taori et al. 2023), and what the cookbook of OpenAI says that its API
takes for 34 to 8,333 rows."""
MOST_STEPS = 6_250
"""Of a run with more than one epoch: 25,000 sequences, four a step. From there on that API, too,
takes fewer epochs."""


def epochs_for(steps_an_epoch: int) -> int:
    """How often each row is seen: three times, small files until that makes enough steps, large
    ones as often as does not take too many."""
    wanted = max(USUAL_EPOCHS, ceil(LEAST_STEPS / max(1, steps_an_epoch)))
    return max(1, min(wanted, MOST_EPOCHS, MOST_STEPS // max(1, steps_an_epoch)))


ENOUGH_HELD_OUT, USUAL_SHARE, MOST_SHARE = 100, 0.05, 0.2
"""100 rows tell shares apart that differ by 14 points (`jobs/run_form/findings.py`)."""


def held_out_share(rows: int) -> float:
    """The share of so many rows that is held out: 100 rows tell two models apart, if that leaves
    four of five to train on; a twentieth of a large file has more."""
    return min(max(USUAL_SHARE, ENOUGH_HELD_OUT / max(1, rows)), MOST_SHARE)
