"""Message to a webhook: what a run came to, signed as Standard Webhooks say.

https://github.com/standard-webhooks/standard-webhooks: the headers `webhook-id`,
`webhook-timestamp` and `webhook-signature`; a receiver computes the signature anew.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from django.utils import timezone

from jobs.models import Notice, Occasion, Run

TYPES = {Occasion.NEEDS_PERSON: "run.needs_person", Occasion.WAITS: "run.waits"}
"""Of what is not the end of a run."""


def body_of(notice: Notice) -> bytes:
    """`{"type": "run.ended", "timestamp": …, "data": {…}}`; a test has the type `test`."""
    now = timezone.now().isoformat()
    told: dict[str, Any] = {"type": "test", "timestamp": now, "data": {}}
    if notice.run is not None:
        kind = TYPES.get(Occasion(notice.occasion), "run.ended")
        told |= {"type": kind, "data": about(notice.run)}
    return json.dumps(told, ensure_ascii=False).encode()


def about(run: Run) -> dict[str, Any]:
    verdict = run.verdict and {key: run.verdict[key] for key in ("code", "level", "title")}
    return {
        "id": run.pk,
        "name": run.name,
        "status": run.status,
        "ended": run.ended and run.ended.isoformat(),
        "verdict": verdict or None,
        "error": run.error,
        "path": run.get_absolute_url(),
    }


def headers(notice: Notice, body: bytes) -> dict[str, str]:
    number, seconds = f"msg_{notice.number.hex}", str(int(timezone.now().timestamp()))
    return {
        "content-type": "application/json",
        "user-agent": "MaxFT",
        "webhook-id": number,
        "webhook-timestamp": seconds,
        "webhook-signature": signature(notice.channel.secret, number, seconds, body),
    }


def signature(secret: str, number: str, seconds: str, body: bytes) -> str:
    """`v1,` and HMAC-SHA256 of `id.timestamp.body` by the secret behind `whsec_`, in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    digest = hmac.new(key, b".".join([number.encode(), seconds.encode(), body]), hashlib.sha256)
    return f"v1,{base64.b64encode(digest.digest()).decode()}"
