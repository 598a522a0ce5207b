"""What is wrong or doubtful with a run before it starts, each with a change that helps."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from math import sqrt
from typing import NamedTuple

from pydantic import JsonValue

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.data import MOST_TOKENS
from maxaillm.dev.finetune.estimate import Estimate, estimate
from maxaillm.dev.finetune.exports import exports
from maxaillm.dev.finetune.trackers import lacking, trackers
from maxft_site.web.formatting import duration, sig, size

HIGH_RATE, LOW_RATE = 10, 0.02
"""Times the recommended learning rate: outside, runs mostly diverge or stand still."""
FEW_STEPS = 10
BLUR = 1.96 * sqrt(0.5)
"""Half of the 95 % confidence interval of the difference of two models' shares, times the root of
the rows that both are measured on, where they disagree on half of the rows (Wald, paired)."""
FEW_HELD_OUT = 100
"""Fewer blur a difference by more than 14 percentage points."""
MOST_STEPS = 4096
"""Of gradient accumulation, as its option allows."""


class Fix(NamedTuple):
    """A change of options, in words, and what it does."""

    word: str
    effect: str
    changes: dict[str, JsonValue]
    """Path -> value."""


class Finding(NamedTuple):
    level: str
    title: str
    text: str
    fixes: tuple[Fix, ...] = ()

    def as_json(self) -> dict[str, JsonValue]:
        fixes: list[JsonValue] = [dict(fix._asdict()) for fix in self.fixes]
        return {**self._asdict(), "fixes": fixes}


def findings_of(config: RunConfig, found: Estimate, disk_free: int) -> list[Finding]:
    return [
        *memory_findings(config, found),
        *rate_findings(config),
        *token_findings(found),
        *held_out_findings(config, found),
        *interval_findings(config, found.steps),
        *cut_findings(config, found),
        *tracker_findings(config),
        *other_findings(found, disk_free),
    ]


def memory_findings(config: RunConfig, found: Estimate) -> Iterator[Finding]:
    if found.fits:
        return
    needed, there = size(found.memory_bytes.total), size(found.available_bytes)
    fixes = tuple(memory_fixes(config))
    text = "Either change" if len(fixes) > 1 else "This change"
    text += " keeps the effective batch." if fixes else ""
    if not fixes:
        text = "Choose a smaller model or a shorter maximum length."
    yield Finding("bad", f"Needs {needed} of {there}", text, fixes)


def memory_fixes(config: RunConfig) -> Iterator[Fix]:
    """Changes after which the run fits, the one that slows it least first."""
    recomputed: dict[str, JsonValue] = {"model.gradient_checkpointing": True}
    smaller = smaller_batch(config)
    if smaller:
        yield smaller
    if config.tuning.checkpoints_gradients and not config.model.gradient_checkpointing:
        after = estimate(changed(config, recomputed))
        if after.fits:
            effect = f"{size(after.memory_bytes.total)}, slower"
            yield Fix("Use gradient checkpointing", effect, recomputed)


def smaller_batch(config: RunConfig) -> Fix | None:
    """The batch halved as often as needed, and accumulated as much more."""
    training = config.training
    batch, steps = training.per_device_train_batch_size, training.gradient_accumulation_steps
    most = min((batch & -batch).bit_length(), (MOST_STEPS // steps).bit_length())
    halvings = range(1, most)

    def halved(times: int) -> dict[str, JsonValue]:
        return {
            "training.per_device_train_batch_size": batch >> times,
            "training.gradient_accumulation_steps": steps << times,
        }

    def fits(times: int) -> bool:
        return estimate(changed(config, halved(times))).fits

    place = bisect_left(halvings, True, key=fits)
    if place == len(halvings):
        return None
    times = halvings[place]
    after = estimate(changed(config, halved(times)))
    word = f"Batch {batch >> times:,}, accumulation {steps << times:,}"
    return Fix(word, size(after.memory_bytes.total), halved(times))


def changed(config: RunConfig, changes: Mapping[str, JsonValue]) -> RunConfig:
    data = config.model_dump(mode="json")
    for path, value in changes.items():
        section, _, option = path.partition(".")
        data[section][option] = value
    return RunConfig.parse(data)


def rate_findings(config: RunConfig) -> Iterator[Finding]:
    recommended, chosen = config.recommended_learning_rate, config.learning_rate
    use = Fix(
        f"Use {sig(recommended)}",
        f"recommended for {config.tuning.label} and this model",
        {"training.learning_rate": None},
    )
    if chosen > HIGH_RATE * recommended:
        text = "The loss may jump or stop being a number."
        yield Finding("warn", f"Learning rate {sig(chosen)} is very high", text, (use,))
    elif chosen < LOW_RATE * recommended:
        yield Finding("warn", f"Learning rate {sig(chosen)} is very low", "Little moves.", (use,))


def token_findings(found: Estimate) -> Iterator[Finding]:
    """Tokens that the base never trained: a method that freezes them can't learn them."""
    for note in found.notes:
        title = "Tokens that the base never trained"
        yield Finding(note.level, title, f"{note.message} {note.hint}")


def held_out_findings(config: RunConfig, found: Estimate) -> Iterator[Finding]:
    """Whether the held-out rows are enough to tell a better model from a worse one."""
    held = found.validation_rows
    if not held:
        text = "Neither a best checkpoint nor a verdict without them."
        share: dict[str, JsonValue] = {"data.validation_share": None}
        fix = Fix("Hold rows out", "drawn from the rows to train", share)
        yield Finding("warn", "No rows are held out", text, (fix,))
    elif held < FEW_HELD_OUT:
        blur, enough = (100 * BLUR / sqrt(rows) for rows in (held, FEW_HELD_OUT))
        text = (
            f"A difference of less than about {blur:.0f} percentage points between two models "
            f"can't be told; {FEW_HELD_OUT} rows would bring it to {enough:.0f}."
        )
        yield Finding("warn", f"Only {held:,} held-out row{'s' * (held > 1)}", text)


def export_findings(refused: Mapping[str, str]) -> Iterator[Finding]:
    """The forms that the tuned model can't be exported in, which is better known before."""
    if refused:
        named = {exports[name].label: reason for name, reason in refused.items()}
        text = " ".join(f"{label}: {reason}" for label, reason in named.items())
        yield Finding("", f"Can't be exported as {' or '.join(named)}", text)


def interval_findings(config: RunConfig, steps: int) -> Iterator[Finding]:
    """Intervals that were given and are longer than the run, so that nothing happens at them."""
    consequences = {
        "eval_steps": ("Evaluates", "is measured only at the end"),
        "save_steps": ("Saves", "has a checkpoint only at its end"),
        "logging_steps": ("Logs", "has one point in its curves"),
    }
    for name, every in config.training.unreached(steps).items():
        verb, consequence = consequences[name]
        changes: dict[str, JsonValue] = {f"training.{name}": None}
        fix = Fix("As the length asks for", "leaves the field empty", changes)
        title = f"{verb} every {every:,} steps of {steps:,}"
        yield Finding("warn", title, f"The run {consequence}.", (fix,))


def cut_findings(config: RunConfig, found: Estimate) -> Iterator[Finding]:
    if not found.cut_rows:
        return
    length = config.data.max_length
    twice = min(2 * length, MOST_TOKENS)
    longer: dict[str, JsonValue] = {"data.max_length": twice}
    after = estimate(changed(config, longer))
    effect = f"about {after.cut_rows:,} rows are cut, {size(after.memory_bytes.total)}"
    fixes = (Fix(f"Take {twice:,} tokens", effect, longer),)
    title = f"About {found.cut_rows:,} of {found.training_rows:,} rows are cut at {length:,} tokens"
    text = f"About {found.cut_tokens:,} tokens are lost. The tab Tokens of the dataset shows which."
    is_better = after.cut_tokens < found.cut_tokens
    yield Finding("warn", title, text, fixes if is_better else ())


def tracker_findings(config: RunConfig) -> Iterator[Finding]:
    """Trackers that are asked for and can't be reported to from here."""
    for lack in lacking(config.training.report_to):
        kept = [name for name in config.training.report_to if trackers[name].label != lack.label]
        changes: dict[str, JsonValue] = {"training.report_to": [*kept]}
        fix = Fix(f"Leave out {lack.label}", "the run's own curves have everything", changes)
        yield Finding("warn", lack.message, lack.hint, (fix,))


def other_findings(found: Estimate, disk_free: int) -> Iterator[Finding]:
    if found.disk_bytes > disk_free:
        text = f"The run writes about {size(found.disk_bytes)}; {size(disk_free)} are free."
        yield Finding("bad", "The disk is too full", text)
    if found.steps < FEW_STEPS:
        text = "So few change little. More epochs or a smaller batch give more steps."
        yield Finding("warn", f"Only {found.steps} steps", text)
    if found.seconds and found.seconds > 24 * 3600:
        text = "Checkpoints keep what is done; a GPU is many times faster."
        yield Finding("", f"Takes about {duration(found.seconds)}", text)
