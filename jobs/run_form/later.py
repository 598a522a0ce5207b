"""Fields of a new run that say when it starts, and from which other run's model."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

from django.contrib.auth.models import User
from django.http import QueryDict

from jobs.models import Run
from jobs.run_form.mistakes import Missing
from jobs.services.lifecycle.later import WaitError, check_time, possible_predecessors
from jobs.services.runs import Later
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxft_site.web.formatting import typed_number

AFTER, START_AT, START_AT_UTC = "later-after", "later-start_at", "later-start_at_utc"
MODEL, OTHER_MODEL = "model-name", "model-other"


class Choice(NamedTuple):
    value: str
    label: str


class LaterFields:
    """`start_at` is typed as a clock shows it where the reader is; their browser says beside it
    which moment that is. Without a script it is UTC, and the page says so."""

    def __init__(self, user: User, data: QueryDict | None = None) -> None:
        self.data = QueryDict() if data is None else data
        self.runs = {run.pk: run for run in possible_predecessors(user)}

    @property
    def start_at_text(self) -> str:
        return self.data.get(START_AT, "").strip()

    @property
    def after_chosen(self) -> str:
        return self.data.get(AFTER, "")

    @property
    def choices(self) -> list[Choice]:
        return [
            Choice(str(run.pk), f"{run}, {run.get_status_display().lower()}")
            for run in self.runs.values()
        ]

    @property
    def after(self) -> Run | None:
        return self.runs.get(typed_number(self.after_chosen) or 0)

    @property
    def is_open(self) -> bool:
        return bool(self.start_at_text or self.after_chosen)

    @cached_property
    def moment(self) -> datetime | None:
        """Raises WaitError."""
        if not self.start_at_text:
            return None
        text = self.data.get(START_AT_UTC, "") or self.start_at_text
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise WaitError(
                f"“{text[:40]}” is no date with a time.", "Type one such as 2030-01-31 22:00."
            ) from None
        return check_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))

    @cached_property
    def time_errors(self) -> list[str]:
        try:
            _ = self.moment
        except WaitError as error:
            return [f"{error.message} {error.hint}"]
        return []

    @property
    def after_errors(self) -> list[str]:
        if self.after_chosen and self.after is None:
            return ["That run has ended or is not there any more: choose another one."]
        return []

    @property
    def missing(self) -> list[Missing]:
        wrong = [Missing("Not before", START_AT)] if self.time_errors else []
        return wrong + ([Missing("After run", AFTER)] if self.after_errors else [])

    @property
    def carried(self) -> dict[str, str]:
        """Fields to send along where the run is shown as text, which does not say them."""
        given = {name: self.data.get(name, "") for name in (AFTER, START_AT, START_AT_UTC)}
        return {name: value for name, value in given.items() if value}

    @property
    def words(self) -> str:
        """What the fields say, as they were typed."""
        time = self.start_at_text.replace("T", " ")
        said = [f"not before {time}"] if time else []
        return ", ".join(said + ([f"from the model of {self.after}"] if self.after else []))

    def require(self) -> None:
        """Raises ConfigError where a field is wrong."""
        wrong = [(START_AT, error) for error in self.time_errors]
        wrong += [(AFTER, error) for error in self.after_errors]
        if wrong:
            raise ConfigError(
                [Problem(name, error, self.data.get(name, ""), "") for name, error in wrong]
            )

    @property
    def value(self) -> Later:
        """Where nothing is `missing`."""
        return Later(self.after, self.moment)

    def on_model(self, data: QueryDict) -> QueryDict:
        """The form with the base of the run that is waited for: the model is of that kind."""
        if self.after is None:
            return data
        changed = data.copy()
        changed[MODEL], changed[OTHER_MODEL] = self.after.config["model"]["name"], ""
        return changed
