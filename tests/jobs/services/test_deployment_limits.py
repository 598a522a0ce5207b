"""Limits of deployments: what is let in, what is refused and counted."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from jobs.models import Deployment, DeploymentKey, RequestLog, UsageDay
from jobs.services.deployments import limits, usage
from jobs.services.deployments.limits import OverLimitError


@pytest.fixture
def deployment(alice: User, redis_server: object) -> Deployment:
    return Deployment.objects.create(owner=alice, name="support", requests_per_minute=60)


def test_ten_thousand_requests_with_one_key(deployment: Deployment) -> None:
    key = DeploymentKey.objects.create(deployment=deployment, name="loop", digest="x")
    admitted, longest = 0, 0
    for _ in range(10_000):
        request = uuid4()
        try:
            limits.admit(deployment, request, key.pk)
        except OverLimitError as error:
            longest = max(longest, error.retry_after)
        else:
            admitted += 1
            limits.leave(deployment, request, 0)
    # What time gives back while it lasts is one a second; a minute of it would be a slow machine.
    assert 60 <= admitted < 1000
    assert longest == 1
    assert usage.by_day(deployment, 1)[0].totals.refused == 10_000 - admitted
    assert UsageDay.objects.get().key == key
    assert not RequestLog.objects.exists()
    assert usage.by_day(deployment, 1)[0].totals.refused == 10_000 - admitted  # and not again


def test_places_are_given_back(deployment: Deployment) -> None:
    deployment.concurrent = 2
    first, second = uuid4(), uuid4()
    for request in (first, second):
        limits.admit(deployment, request, None)
    with pytest.raises(OverLimitError, match="2 requests at once"):
        limits.admit(deployment, uuid4(), None)
    limits.leave(deployment, first, 0)
    limits.admit(deployment, uuid4(), None)


def test_tokens_are_charged_behind(deployment: Deployment) -> None:
    deployment.tokens_per_minute = 100
    request = uuid4()
    limits.admit(deployment, request, None)
    limits.leave(deployment, request, 300)
    with pytest.raises(OverLimitError, match="100 tokens a minute") as refused:
        limits.admit(deployment, uuid4(), None)
    assert 110 <= refused.value.retry_after <= 121  # 300 tokens take three minutes, one is free
