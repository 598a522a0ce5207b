"""What tests of pages share: a run with a history, and strings that must stay text."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.utils.html import escape

from jobs.models import Event, Run
from jobs.services.ingest import record_events
from tests.jobs.runs import STEPS, event, fresh, running

PAYLOADS = ("<script>window.__pwned=1</script>", '"><img src=x onerror=alert(1)>', "{{ 7|add:7 }}")


def trained(owner: User, steps: int = STEPS) -> Run:
    """A run at work that has logged, evaluated, answered and saved."""
    run = running(owner)
    record_events(run.pk, run.attempt, history(3, steps))
    (run.attempt_folder(run.attempt).root / f"checkpoint-{steps}").mkdir(parents=True)
    return fresh(run)


def history(seq: int, steps: int) -> list[Any]:
    events = [event(seq, "sample", 0, prompt="Who?", answer="base says", index=0)]
    for step in range(1, steps + 1):
        numbers = {"loss": 3 / step, "learning_rate": 2e-4, "epoch": step / 3, "tokens": 64 * step}
        events.append(event(seq + len(events), "log", step, **numbers))
    scores = {"eval_loss": 1.5, "perplexity": 4.48, "rows": 9, "seconds": 0.1}
    events.append(event(seq + len(events), "eval", steps, **scores))
    saved = {"folder": f"checkpoint-{steps}", "size_bytes": 12_000, "best": True}
    events.append(event(seq + len(events), "checkpoint", steps, **saved))
    answer = {"prompt": "Who?", "answer": "tuned says", "index": 0}
    return [*events, event(seq + len(events), "sample", steps, **answer)]


def add_logs(run: Run, values: list[float | None]) -> None:
    """Log rows straight into the table: many at once."""
    Event.objects.bulk_create(
        Event(
            run=run,
            seq=run.last_seq + step,
            attempt=1,
            kind="log",
            step=step,
            time=1000.0 + step,
            data={"loss": value, "epoch": step / 10, "tokens": step},
            key=f"log:{step}",
        )
        for step, value in enumerate(values, start=1)
    )
    Run.objects.filter(pk=run.pk).update(last_seq=run.last_seq + len(values))


def is_text(response: HttpResponse, payload: str) -> bool:
    """Whether a string of a user's stands in the page, and only as text."""
    page = response.content.decode()
    return escape(payload) in page and (payload not in page or escape(payload) == payload)
