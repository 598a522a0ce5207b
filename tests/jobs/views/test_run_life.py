"""Pages of what a run does beside its training: extend, wait, drafts; and the paused queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.models import QueuePause, Run, RunDraft, Transition
from jobs.services.queue import claims
from tests.conftest import signed_in
from tests.jobs.lives import ended
from tests.jobs.runs import fresh, make_dataset, make_run, running

QUEUE, NEW = reverse("jobs:queue"), reverse("jobs:run-new")


def form(owner: User, **fields: Any) -> dict[str, Any]:
    dataset = make_dataset(owner).dataset_id
    chosen = {"model-name": "starter/chat", "data-dataset": dataset, "tuning-name": "lora"}
    return chosen | {"data-max_length": 64, "draft": str(uuid4())} | fields


def test_a_run_is_extended_by_a_form(alice_client: Client, alice: User) -> None:
    run = ended(alice)
    address = reverse("jobs:run-extend", args=[run.pk])
    page = alice_client.get(run.get_absolute_url()).text
    assert address in page
    shown = " ".join(alice_client.get(address, {"amount": "2", "unit": "epochs"}).text.split())
    assert "from the checkpoint of step 6 to step 12" in shown
    assert "The schedule is stretched over all 12 steps" in shown
    assert (
        "no number of epochs" in alice_client.get(address, {"amount": "x", "unit": "epochs"}).text
    )
    answer = alice_client.post(address, {"amount": "4", "unit": "steps"}, follow=True)
    assert "goes on from step 6 of" in " ".join(answer.text.split())
    assert run.copies.get().parsed_config.training.max_steps == 10


def test_a_failed_run_offers_what_fits(alice_client: Client, alice: User) -> None:
    error = {"code": "out_of_memory", "message": "No.", "hint": ""}
    run = ended(alice, "failed", error=error)
    for page in (run.get_absolute_url(), QUEUE):
        assert 'value="smaller_batch"' in alice_client.get(page).text
    alice_client.post(reverse("jobs:run-retry", args=[run.pk]), {"way": "smaller_batch"})
    assert run.copies.get().parsed_config.training.per_device_train_batch_size == 2
    assert "/retry/" not in alice_client.get(ended(alice).get_absolute_url()).text


def test_the_form_starts_a_run_after_another(alice_client: Client, alice: User) -> None:
    first = running(alice)
    answer = alice_client.post(NEW, form(alice, **{"later-after": first.pk}), follow=True)
    second = Run.objects.get(after=first)
    assert f"Waits for run {first.pk}, whose model it starts from." in answer.text
    assert not second.is_ready
    assert f"Run {second.pk} ·" in alice_client.get(QUEUE).text
    Run.objects.filter(pk=first.pk).update(status="failed")
    page = alice_client.get(second.get_absolute_url()).text
    assert "Held: run" in page
    alice_client.post(reverse("jobs:run-wait", args=[second.pk]), {"to": "base"})
    assert fresh(second).is_ready


@pytest.mark.parametrize(
    ("typed", "utc", "is_accepted"),
    [
        ("2030-06-01T08:00", "2030-06-01T06:00:00.000Z", False),
        ("{soon}", "", True),
        ("2020-01-01T08:00", "", False),
        ("tomorrow", "", False),
    ],
)
def test_the_form_starts_a_run_at_a_time(
    alice_client: Client, alice: User, typed: str, utc: str, is_accepted: bool
) -> None:
    """The browser says which moment its clock means; without it, it is UTC."""
    soon = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    typed = typed.replace("{soon}", f"{soon:%Y-%m-%dT%H:%M}")
    fields = {"later-start_at": typed, "later-start_at_utc": utc}
    answer = alice_client.post(NEW, form(alice, **fields))
    assert answer.status_code == (302 if is_accepted else 422)
    if is_accepted:
        assert Run.objects.get().start_at == soon.astimezone(UTC)
    else:
        assert 'id="later-start_at-error"' in answer.text


def test_the_moment_of_the_browser_counts(alice_client: Client, alice: User) -> None:
    day = (timezone.now() + timedelta(days=2)).date()
    fields = {"later-start_at": f"{day}T08:00", "later-start_at_utc": f"{day}T06:00:00.000Z"}
    alice_client.post(NEW, form(alice, **fields))
    assert Run.objects.get().start_at == datetime(day.year, day.month, day.day, 6, tzinfo=UTC)


def test_what_text_does_not_say_goes_along_with_it(alice_client: Client, alice: User) -> None:
    """From the form to YAML, back, and started from YAML: later, from the draft's number."""
    first = make_run(alice)
    moment = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    later = {"later-after": str(first.pk), "later-start_at": f"{moment:%Y-%m-%dT%H:%M}"}
    sent = form(alice, show="yaml", typed="1", **later)
    alice_client.post(reverse("jobs:run-new-form"), sent)
    page = alice_client.post(NEW, sent)
    for name, value in (later | {"draft": sent["draft"]}).items():
        assert f'name="{name}" value="{value}"' in page.text
    assert f"not before {moment:%Y-%m-%d %H:%M}, from the model of {first}." in page.text
    carried = {"yaml": page.context["yaml"], "draft": sent["draft"]} | later
    assert alice_client.post(NEW, carried | {"show": "form"}).context["later"].moment == moment
    past = alice_client.post(NEW, carried | {"later-start_at": "2020-01-01T00:00"})
    assert past.status_code == 422
    assert "is over" in past.text
    alice_client.post(NEW, carried)
    run = Run.objects.latest("pk")
    assert (run.after, run.start_at, run.is_ready) == (first, moment, False)
    assert not RunDraft.objects.exists()


def test_a_form_is_kept_as_one_draft_until_it_is_started(
    alice_client: Client, bob_client: Client, alice: User
) -> None:
    fields = form(alice, name="half done")
    refresh = reverse("jobs:run-new-form")
    alice_client.post(refresh, fields)
    assert not RunDraft.objects.exists()  # it was only opened
    for name in ("half", "half done"):
        alice_client.post(refresh, fields | {"typed": "1", "name": name})
    draft = RunDraft.objects.get()
    assert "half done" in alice_client.get(reverse("jobs:runs")).text
    assert 'value="half done"' in alice_client.get(draft.get_absolute_url()).text
    assert bob_client.get(draft.get_absolute_url()).status_code == 404
    assert bob_client.post(reverse("jobs:draft-delete", args=[draft.pk])).status_code == 404
    stolen = bob_client.post(refresh, fields | {"typed": "1"})
    assert stolen.status_code == 422
    assert (Run.objects.count(), claims.startable()) == (0, 0)
    assert alice_client.post(NEW, fields).status_code == 302
    assert not RunDraft.objects.exists()


def test_the_queue_is_paused(
    alice_client: Client, alice: User, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = reverse("jobs:queue-pause")
    assert alice_client.post(address, {"kind": ""}).status_code == 403
    owner = signed_in(ada)
    owner.post(address, {"kind": "cpu", "why": "a new disk"})
    work, waiting = running(alice), make_run(alice)
    assert claims.claim_next(worker="w", kind="cpu") is None
    assert claims.claim_next(worker="w", kind="cuda") == waiting
    owner.post(address, {"kind": ""})
    assert "The CPU is paused by ada, a new disk" in alice_client.get(QUEUE).text
    assert fresh(work).status == "running"
    make_run(alice)
    assert claims.startable() == 0
    for kind in ("", "cpu"):
        owner.post(address, {"kind": kind, "goes_on": "1"})
    assert not QueuePause.objects.exists()
    assert claims.startable() == 1
    assert owner.post(address, {"kind": "tpu"}).status_code == 404


def test_the_timeline_shows_whose_the_devices_were(
    alice_client: Client, alice: User, bob: User, ada: User
) -> None:
    for user in (alice, bob):
        run = ended(user)
        Run.objects.filter(pk=run.pk).update(device_kind="cpu")
        Transition.objects.filter(run=run).update(time=timezone.now() - timedelta(hours=3))
        Transition.objects.create(run=run, came_from="saving", to="succeeded", attempt=1)
    seen = signed_in(ada).get(QUEUE).text
    assert "CPU 2: taken for 3 h" in seen
    assert "of alice, 3 h" in seen
    own = alice_client.get(QUEUE).text
    assert "of alice, 3 h" in own
    assert "bob" not in own
    assert "a run of other people, 3 h" in own
