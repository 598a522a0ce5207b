"""Webhooks: made, told of a run's end, tried again, given up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from jobs.models.webhook import Delivery, Webhook
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.enqueue import JobSpec, enqueue_on_commit

PAUSES = [timedelta(seconds=s) for s in (10, 60, 600, 3600, 6 * 3600)]
"""Between tries; after the last one a message is given up."""
KEPT = 50
"""Messages of a webhook that are remembered once they arrived or were given up."""
GRACE = timedelta(seconds=30)
"""A try that takes longer has died with its worker."""


class TooManyWebhooksError(FineTuneError):
    """Somebody has as many webhooks as one person may have."""

    code = "too_many_webhooks"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            f"There are {Webhook.MOST} webhooks already, as many as one person may have.",
            "Delete one of them.",
        )


@transaction.atomic
def add_webhook(*, owner: User, url: str) -> Webhook:
    """One that is there already stays as it is. Raises TooManyWebhooksError."""
    User.objects.select_for_update().get(pk=owner.pk)
    own = Webhook.objects.visible_to(owner)
    found = own.filter(url=url).first()
    if found is None and own.count() >= Webhook.MOST:
        raise TooManyWebhooksError
    return found or Webhook.objects.create(owner=owner, url=url)


def tell_end(run_id: int, owner_id: int) -> None:
    """Tell the owner's webhooks that a run has ended, in the transaction that ended it."""
    for webhook in Webhook.objects.filter(owner_id=owner_id):
        order(webhook, run_id)


def order(webhook: Webhook, run_id: int | None = None) -> Delivery:
    """A message about a run, or a test; it is sent once the transaction is through."""
    delivery = Delivery.objects.create(
        webhook=webhook, run_id=run_id, next_try=timezone.now() + GRACE
    )
    old = webhook.deliveries.filter(next_try=None).values_list("pk", flat=True)[KEPT:]
    Delivery.objects.filter(pk__in=list(old)).delete()
    enqueue_on_commit(delivery_job(delivery))
    return delivery


def delivery_job(delivery: Delivery) -> JobSpec:
    name = f"delivery-{delivery.pk}-{delivery.tries}"
    return JobSpec(queue="light", task="jobs.tasks.deliver", args=(delivery.pk,), id=name)


def due() -> Iterable[Delivery]:
    """What has to be tried again, or never was because its job was lost."""
    return Delivery.objects.filter(next_try__lte=timezone.now())


def begin(pk: int) -> Delivery | None:
    """Take a message to send it; None where another worker does, or it needs no sending."""
    with transaction.atomic():
        locked = Delivery.objects.select_for_update(of=("self",))
        found = locked.filter(pk=pk, next_try__isnull=False)
        delivery = found.select_related("webhook", "run").first()
        if delivery is None or delivery.next_try is None:
            return None
        delivery.tries += 1
        pauses = PAUSES[delivery.tries - 1 : delivery.tries]
        delivery.next_try = timezone.now() + pauses[0] + GRACE if pauses else None
        delivery.save(update_fields=["tries", "next_try"])
    return delivery


def end(delivery: Delivery, error: str = "") -> None:
    """Note how a try ended."""
    delivery.error = error[:300]
    if not error:
        delivery.sent, delivery.next_try = timezone.now(), None
    delivery.save(update_fields=["error", "sent", "next_try"])
