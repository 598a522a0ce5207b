"""Record of a run: what it measures, kept for its verdict and for stopping when it is lost."""

from __future__ import annotations

import json
from pathlib import Path

from maxaillm.dev.finetune.advice.comparison import Comparison
from maxaillm.dev.finetune.advice.doctor import examine
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.figures import figure
from maxaillm.dev.finetune.advice.history import Evaluation, RunHistory, is_better
from maxaillm.dev.finetune.advice.rates import lower_rate
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import (
    ConfigError,
    DivergedError,
    FineTuneError,
    NotFiniteError,
    Problem,
)
from maxaillm.dev.finetune.hf.training.baseline import Baseline, finite
from maxaillm.dev.finetune.run.events.run_metrics import metric_info

FILE = "history.json"
"""Of a checkpoint."""
BY_STEP = ("losses", "grad_norms", "rates")
TIMES = ("timed_steps", "input_seconds", "step_seconds")
WARM_UP = 2
"""Steps whose time says nothing: the first calls of each kind take longer."""


class RunRecord:
    """The history of one run and the base model that it is compared with."""

    def __init__(self, config: RunConfig) -> None:
        training = config.training
        higher = training.greater_is_better
        if higher is None:
            higher = metric_info(training.metric_for_best_model).better == "higher"
        self.config = config
        self.baseline: Baseline | None = None
        self.resumed_from: Path | None = None
        """Where the checkpoints lie that it goes on from."""
        self.findings: list[Finding] = []
        self.steps_here = 0
        self.history = RunHistory(
            metric=training.metric_for_best_model,
            higher_is_better=higher,
            learning_rate=config.learning_rate,
            recommended_rate=config.recommended_learning_rate,
            epochs=None if training.max_steps else training.num_train_epochs,
            options=options_of(config),
        )

    def begin(self, baseline: Baseline) -> None:
        """What the base model measures: evaluations are compared with it."""
        self.baseline = baseline
        self.history.guess_loss = baseline.guess_loss
        self.history.evaluations.append(Evaluation(0, baseline.scores))

    def add_step(self, loss: float, grad_norm: float, rate: float) -> None:
        self.history.losses.append(loss)
        self.history.grad_norms.append(grad_norm)
        self.history.rates.append(rate)

    def add_times(self, waited: float, worked: float) -> None:
        """Of the step that is added next; those right after a start or a resume are left out."""
        self.steps_here += 1
        if self.steps_here > WARM_UP:
            self.history.timed_steps += 1
            self.history.input_seconds += waited
            self.history.step_seconds += worked

    def write(self, folder: Path) -> None:
        """Into a checkpoint: a run that goes on from it is then judged as if it had not stopped."""
        if self.baseline is not None:
            self.baseline.write(folder)
        history = self.history
        kept: dict[str, object] = {
            name: [rounded(v) for v in getattr(history, name)] for name in BY_STEP
        }
        kept |= {name: rounded(getattr(history, name)) for name in TIMES}
        scores = [[found.step, finite(found.scores)] for found in history.evaluations if found.step]
        text = json.dumps(kept | {"evaluations": scores})
        (folder / FILE).write_text(text, encoding="utf-8")

    def resume(self, folder: Path) -> None:
        """Read what a checkpoint holds; older ones hold less."""
        self.resumed_from = folder.parent
        if baseline := Baseline.read(folder):
            self.begin(baseline)
        if not (folder / FILE).is_file():
            return
        kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
        for name in BY_STEP:
            getattr(self.history, name).extend(kept[name])
        for name in TIMES:
            setattr(self.history, name, kept.get(name, 0))
        self.history.evaluations.extend(Evaluation(*found) for found in kept["evaluations"])

    def examine(self, *, has_ended: bool = False) -> list[Finding] | None:
        """The run doctor's findings; None where they are those of last time."""
        found = examine(self.history, has_ended=has_ended)
        if found == self.findings:
            return None
        self.findings = found
        return found

    def end(self, found: Evaluation, comparison: Comparison | None) -> None:
        """The evaluation of the model that is kept, and that model beside its base."""
        self.history.evaluations.append(found)
        self.history.comparison = comparison

    def is_best(self, found: Evaluation, best: float | None) -> bool:
        """Whether an evaluation beats the best so far, where there is one, and the base model.

        Raises ConfigError where it lacks the metric that decides.
        """
        name = self.history.metric
        if name not in found.scores:
            known = ", ".join(n for n, v in found.scores.items() if isinstance(v, float))
            message = f"{name} is not measured in this run."
            raise ConfigError([Problem("training.metric_for_best_model", message, name, known)])
        base = self.history.base
        than = best if best is not None else base and base.number(name)
        return is_better(found.number(name), than, self.history.higher_is_better)

    def not_finite(self, name: str, value: float, step: int) -> FineTuneError:
        became = "NaN" if value != value else "infinite"  # noqa: PLR0124 - NaN is unlike itself
        return self.lost(NotFiniteError, f"{name} became {became} at step {step}")

    @property
    def lost_words(self) -> str:
        start, late = self.history.start_loss or 0, self.history.late_loss or 0
        return f"the loss stays at {figure(late)}, far above its start, {figure(start)}"

    def diverged(self, step: int) -> FineTuneError:
        return self.lost(DivergedError, f"Stopped at step {step:,}: {self.lost_words}")

    def lost(self, kind: type[FineTuneError], message: str) -> FineTuneError:
        """Why training can't go on, with a lower learning rate to try."""
        self.history.given_up = f"{message[0].upper()}{message[1:]}."
        rate, advice = self.config.learning_rate, lower_rate(self.history)
        lower = " ".join(f"{value:g}" for step in advice for value in step.changes.values())
        return kind(
            message,
            f"Lower the learning rate, now {rate:g}: try {lower}. "
            "The last checkpoint before it is kept.",
        )


def options_of(config: RunConfig) -> dict[str, object]:
    """The options of training, data and model by their paths."""
    sections = {"training": config.training, "data": config.data, "model": config.model}
    return {f"{name}.{option}": value for name, part in sections.items() for option, value in part}


def rounded(value: float) -> float:
    """To seven digits, which is what float32 knows."""
    return float(f"{value:.7g}")
