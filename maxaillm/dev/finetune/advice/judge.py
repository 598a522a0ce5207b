"""Judge of a run's end: is what it made better than the base model that it began with?"""

from __future__ import annotations

from maxaillm.dev.finetune.advice.comparison import ROUGH_ROWS, Comparison
from maxaillm.dev.finetune.advice.divergence import diverged
from maxaillm.dev.finetune.advice.figures import figure
from maxaillm.dev.finetune.advice.history import EVAL_LOSS, RunHistory
from maxaillm.dev.finetune.advice.rates import learn_more, lower_rate, train_longer
from maxaillm.dev.finetune.advice.verdict import NextStep, Verdict

NOTHING, LITTLE = 0.01, 0.05
"""Gains below these parts of the base's figure are nothing, and little; of a share, one point and
five."""
SHARE = "data.validation_share"
MOST_ROWS_SAID = 10_000


def judge(history: RunHistory) -> Verdict:
    """How a run ended. `history` is that of the whole run, its last evaluation that of the model
    which is kept."""
    return diverged(history) or unmeasured(history) or beside_base(history)


def unmeasured(history: RunHistory) -> Verdict | None:
    """Where no held-out row was measured before and after: the training loss alone is told."""
    if history.comparison is not None:
        return None
    words = "No rows were held out, so nothing says how it does on rows that it was not trained on."
    steps = [NextStep(label="Hold rows out", changes={SHARE: 0.1})]
    if history.end is not None:
        words = "The base model was not measured on the held-out rows, so there is no comparison."
        steps = []
    if history.course:
        words += f" The training loss went {history.course}."
    return Verdict(
        code="unmeasured",
        level="note",
        title="Not compared with its base",
        explanation=words,
        next_steps=steps,
    )


def beside_base(history: RunHistory) -> Verdict:
    """By the gain over the base, and by how sure it is."""
    found = history.comparison
    assert found is not None
    if is_nothing(found) or is_a_guess(history, found):
        return learned_nothing(history, found)
    if found.low is None or found.high is None or found.low <= 0 <= found.high:
        return undecided(found)
    if found.high < 0:
        return worse(history, found)
    if found.gain < LITTLE * found.scale:
        return learned_little(history, found)
    return Verdict(
        code="better",
        level="ok",
        title=f"Better than its base: {change(found)}",
        explanation=evidence(found),
        comparison=found,
    )


def is_nothing(found: Comparison) -> bool:
    """Whether the gain is too small to matter, and surely so."""
    least = NOTHING * found.scale
    if found.low is None or found.high is None:
        return found.largest is not None and found.largest < least
    return abs(found.gain) < least and max(-found.low, found.high) < LITTLE * found.scale


def is_a_guess(history: RunHistory, found: Comparison) -> bool:
    """Whether it has just learned how frequent each label is: a new head begins worse than that."""
    guess = history.guess_loss
    if guess is None or found.metric != EVAL_LOSS or found.low is None:
        return False
    return guess * (1 - NOTHING) < found.tuned < found.base and guess < found.base


def learned_nothing(history: RunHistory, found: Comparison) -> Verdict:
    words, than = evidence(found), "no different from its base"
    if history.guess_loss is not None and is_a_guess(history, found):
        words += f" Who guesses without reading has {figure(history.guess_loss)}."
        than = "no better than a guess"
    return Verdict(
        code="learned_nothing",
        level="warn",
        title=f"Learned nothing: {than}",
        explanation=f"{words} {rate_words(history)}".strip(),
        next_steps=learn_more(history),
        comparison=found,
    )


def rate_words(history: RunHistory) -> str:
    rate, recommended = history.learning_rate, history.recommended_rate
    if not rate or not recommended or rate * 3 >= recommended:
        return ""
    return f"The learning rate {rate:g} is far below the usual {recommended:g}."


def learned_little(history: RunHistory, found: Comparison) -> Verdict:
    return Verdict(
        code="learned_little",
        level="ok",
        title=f"A little better than its base: {change(found)}",
        explanation=evidence(found),
        next_steps=[train_longer(history)],
        comparison=found,
    )


def worse(history: RunHistory, found: Comparison) -> Verdict:
    """It unlearned; where an earlier step was better, that one is to be kept next time."""
    steps = lower_rate(history)
    words = evidence(found)
    if history.best is not None:
        words += f" At step {history.best.step:,} it was better than its base: it over-fitted."
        kept = {"training.load_best_model_at_end": True}
        steps.insert(0, NextStep(label="Keep the best model", changes=dict(kept)))
    return Verdict(
        code="worse",
        level="bad",
        title=f"Worse than its base: {change(found)}",
        explanation=words,
        next_steps=steps,
        comparison=found,
    )


def undecided(found: Comparison) -> Verdict:
    """Chance alone could have made the difference, as far as so few rows can tell."""
    words, more = evidence(found), found.rows_to_decide
    if found.low is None:
        words += " With fewer than 10 rows, chance can't be told from learning."
    elif more is not None and more > found.rows:
        about = (
            "more than 10,000" if more > MOST_ROWS_SAID else f"about {float(f'{more:.1g}'):,.0f}"
        )
        words += f" Chance alone could do this; {about} rows would decide."
    return Verdict(
        code="undecided",
        level="note",
        title=f"Too few held-out rows to tell: {found.rows:,}",
        explanation=words,
        next_steps=[NextStep(label="Hold out more rows")],
        comparison=found,
    )


def change(found: Comparison) -> str:
    """`validation loss 19 % lower`, `accuracy 9.0 points higher`."""
    word = "higher" if found.tuned > found.base else "lower"
    amount = found.distance(found.gain)
    if not found.is_share and found.base:
        amount = f"{abs(found.gain / found.base):.2g}"
        amount = f"{100 * float(amount):g} %"
    return f"{found.label.lower()} {amount} {word}"


def evidence(found: Comparison) -> str:
    """Both figures, the rows, and how sure the difference is."""
    words = (
        f"{found.label} {found.written(found.tuned)}, that of the base model "
        f"{found.written(found.base)}, on {found.rows:,} rows that were not trained on."
    )
    if found.low is None or found.high is None:
        if found.won is not None:
            words += f" {found.won:,} of them went better, {found.lost:,} worse."
        return words
    about = "about " if found.rows < ROUGH_ROWS and not found.is_share else ""
    low, high = sorted((found.low, found.high))
    ends = f"{found.signed(low)} and {found.signed(high)}"
    return f"{words} The gain lies between {about}{ends} (95 % interval)."
