"""Seconds that a run took, from its journal, kept for the estimates of later runs."""

from __future__ import annotations

from contextlib import suppress

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.estimate import foresee
from maxaillm.dev.finetune.estimate.earlier_runs import EarlierRun, Ratios, remember
from maxaillm.dev.finetune.estimate.machine import machine_name
from maxaillm.dev.finetune.run.events.journal import read_journal
from maxaillm.dev.finetune.run.folder import RunFolder

LEAST_STEPS = 5
"""Fewer are mostly the first ones, in which the libraries warm up."""


def keep_seconds(config: RunConfig, folder: RunFolder) -> None:
    """Write down how long a finished run took beside what the formula says of it.

    A run that can't be foreseen, or was not made in one go, leaves nothing.
    """
    seconds, tokens, steps, begun, ended, whole = 0.0, 0.0, 0, None, 0.0, False
    for event in read_journal(folder.journal):
        begun, ended = begun or event.time, event.time
        whole |= event.kind == "succeeded"
        if event.kind == "resumed":
            return
        if event.kind == "log":
            seen, pace = event.data.get("tokens"), event.data.get("tokens_per_second")
            if isinstance(seen, int) and isinstance(pace, int | float) and pace > 0:
                seconds += (seen - tokens) / pace
                tokens, steps = seen, event.step or steps
    if not whole or steps < LEAST_STEPS or begun is None:
        return
    with suppress(FineTuneError):
        said = foresee(config)
        a_step, rest = said.parts.steps / said.job.steps, said.parts.rest
        ratios = Ratios(seconds / steps / a_step, (ended - begun - seconds) / rest)
        remember(EarlierRun(machine_name(), said.likeness, ratios))
