"""Record of a run: what it measures, kept for its verdict and for stopping when it is lost."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.comparison import Comparison
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
from maxaillm.dev.finetune.hf.training.baseline import Baseline
from maxaillm.dev.finetune.run.events.run_metrics import metric_info


class RunRecord:
    """The history of one run and the base model that it is compared with."""

    def __init__(self, config: RunConfig) -> None:
        training = config.training
        higher = training.greater_is_better
        if higher is None:
            higher = metric_info(training.metric_for_best_model).better == "higher"
        self.config = config
        self.baseline: Baseline | None = None
        self.history = RunHistory(
            metric=training.metric_for_best_model,
            higher_is_better=higher,
            learning_rate=config.learning_rate,
            recommended_rate=config.recommended_learning_rate,
            epochs=None if training.max_steps else training.num_train_epochs,
        )

    def begin(self, baseline: Baseline) -> None:
        """What the base model measures: evaluations are compared with it."""
        self.baseline = baseline
        self.history.guess_loss = baseline.guess_loss
        self.history.evaluations.append(Evaluation(0, baseline.scores))
        if baseline.first_loss is not None:
            self.history.losses.append(baseline.first_loss)

    def to_keep(self) -> Baseline | None:
        """What a checkpoint needs, so that a run which goes on from it is judged alike."""
        return self.baseline and self.baseline._replace(first_loss=self.history.losses[0])

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
