"""The tab Tokens of a dataset: what a model will see of it, before a run."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from datasets_app.models import DatasetVersion
from datasets_app.views.dataset import render_tab, visible_version
from jobs.models import LanguageModel
from jobs.run_form.pickers import models_on_offer
from jobs.services.resolve import Resolved, kind_of, resolve
from jobs.tokens.page import findings_of, lengths_figure, refusals_of, shown_streams, span_of
from jobs.tokens.requests import SUMMARY, Answer, TokenView, look_up, part_with_row
from jobs.tokens.rows import Places
from jobs.views.request import Request
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.data import DataSection
from maxaillm.dev.finetune.data.columns.messages import DialogueColumn
from maxaillm.dev.finetune.errors import ConfigError
from maxft_site.web.schema_forms.info import extra_of

NUMBER_DIGITS = 12
NAMES = ("train_on", "learn_reasoning", "control_words")
OPTIONS = {name: DataSection.model_fields[name] for name in NAMES}
"""What of a run decides which tokens a row of a conversation has, and which are learned."""
SWITCH = {"true": "Yes", "false": "No"}
NO_ROW = Answer(facts={"rows": []})


class Choice(NamedTuple):
    """What is asked for, as the address has it."""

    model: str
    max_length: str
    train_on: str
    learn_reasoning: str
    control_words: str
    row: int
    """Its number, as the tab Rows has it."""

    @classmethod
    def of(cls, request: Request, models: list[LanguageModel], first: int) -> Choice:
        get = request.GET
        row = get.get("row", "")
        default = next((model.name for model in models), "")
        is_number = row.isdecimal() and len(row) < NUMBER_DIGITS
        return cls(
            model=get.get("model", "") or default,
            max_length=get.get("max_length", "") or str(DataSection().max_length),
            row=int(row) if is_number and int(row) else first,
            **{
                name: get.get(name, "") or str(field.default).lower()
                for name, field in OPTIONS.items()
            },
        )

    def resolved(self, request: Request, version: DatasetVersion) -> Resolved:
        """Raises ConfigError with what can't be shown."""
        options = {name: getattr(self, name) for name in OPTIONS}
        chosen = {
            "model": {"name": self.model},
            "data": {"max_length": self.max_length, **options},
        }
        return resolve(RunConfig.parse(chosen), request.user, version=version)

    def selects(self) -> list[dict[str, Any]]:
        """The options as the form offers them."""
        return [
            {
                "name": name,
                "title": field.title,
                "choices": extra_of(field).get("labels", SWITCH).items(),
                "chosen": getattr(self, name),
            }
            for name, field in OPTIONS.items()
        ]

    def query(self, version: DatasetVersion, **changes: object) -> str:
        return "?" + urlencode(self._asdict() | {"v": version.number} | changes)


@require_GET
def dataset_tokens(request: Request, pk: int) -> HttpResponse:
    """One row token by token, and the figures of all. htmx asks for the two again and again
    while they are worked out."""
    version = visible_version(request, pk)
    if not version.is_ready:
        return redirect(version.dataset)
    models = models_on_offer(request.user)
    places = Places.of(version)
    choice = Choice.of(request, models, next(iter(places.numbers_of([1])), 1))
    try:
        view = TokenView.of(choice.resolved(request, version))
        context = found(view, choice, version, places)
    except ConfigError as error:
        context = {"problems": error.problems}
    context |= {
        "choice": choice,
        "address": reverse("jobs:dataset-tokens", args=[pk]) + choice.query(version),
    }
    if request.htmx:
        return render(request, "jobs/_tokens.html", context)
    offered = {choice.model: choice.model} | {model.name: model.short_name for model in models}
    kind = kind_of(version)
    selects = choice.selects() if kind and kind.columns_of(DialogueColumn) else []
    return render_tab(
        request, version, "tokens", offered=offered.items(), selects=selects, **context
    )


@require_GET
def dataset_token_findings(request: Request, pk: int) -> HttpResponse:
    """What the model's chat template can't write, for the preview of a run; it asks again while
    that is worked out."""
    version = visible_version(request, pk)
    choice = Choice.of(request, [], 1)
    answer = Answer()
    if version.is_ready:
        try:
            answer = look_up(TokenView.of(choice.resolved(request, version)), SUMMARY)
        except ConfigError as error:
            answer = Answer(error={"message": error.message, "hint": error.hint})
    context = {
        "is_pending": version.is_ready and answer.is_pending,
        "findings": refusals_of(answer.facts) if answer.facts else [],
        "address": reverse("jobs:dataset-token-findings", args=[pk]) + choice.query(version),
    }
    return render(request, "jobs/_token_findings.html", context)


def found(
    view: TokenView, choice: Choice, version: DatasetVersion, places: Places
) -> dict[str, Any]:
    place = places.place_of(choice.row)
    # what is not there is not looked for in the queue
    is_there = place is not None and place <= version.rows
    row = look_up(view, part_with_row(place)) if place and is_there else NO_ROW
    summary = look_up(view, SUMMARY)
    error = row.error or summary.error
    return {
        "problems": [error] if error else [],
        "is_pending": not error and (row.is_pending or summary.is_pending),
        "place": place,
        "rows_url": rows_url(choice, version) if places.store is not None and is_there else "",
        **row_context(row, choice, version, places, rows_in(version, summary)),
        **summary_context(summary, choice, version, places),
    }


def rows_url(choice: Choice, version: DatasetVersion) -> str:
    """The same row in the tab Rows."""
    query = urlencode({"row": choice.row, "v": version.number})
    return f"{version.dataset.get_absolute_url()}?{query}#row-{choice.row}"


def rows_in(version: DatasetVersion, summary: Answer) -> int | None:
    """How many rows a run reads; of a plain text, whose lines go together, once it is known."""
    if version.training_path == version.rows_path:
        return version.rows
    return summary.facts["rows"] if summary.facts else None


def row_context(
    answer: Answer, choice: Choice, version: DatasetVersion, places: Places, last: int | None
) -> dict[str, Any]:
    if answer.facts is None:
        return {"row": None, "last": last}
    place = places.place_of(choice.row)
    row = next((row for row in answer.facts["rows"] if row["row"] == place), None)
    before = places.numbers_of([place - 1]) if place and place > 1 else []
    after = places.numbers_of([place + 1]) if place and last and place < last else []
    return {
        "last": last,
        "row": row,
        "is_missing": row is None,
        "streams": shown_streams(row) if row else [],
        "pieces": len(row["streams"]) if row else 0,
        "before": choice.query(version, row=before[0]) if before else "",
        "after": choice.query(version, row=after[0]) if after else "",
    }


def summary_context(
    answer: Answer, choice: Choice, version: DatasetVersion, places: Places
) -> dict[str, Any]:
    facts = answer.facts
    if facts is None:
        return {"facts": None, "progress": answer.progress}
    return {
        "facts": facts,
        "findings": [
            {
                "finding": finding,
                "url": choice.query(version, max_length=finding.tokens) if finding.tokens else "",
                "rows": [
                    (number, choice.query(version, row=number))
                    for number in places.numbers_of(sorted(finding.places))
                ],
            }
            for finding in findings_of(facts)
        ],
        "figure": lengths_figure(facts) if facts["histogram"] else None,
        "bins": [(span_of(part), part["rows"]) for part in facts["histogram"]],
    }
