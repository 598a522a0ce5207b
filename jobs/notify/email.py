"""Notices by e-mail, through whichever of Django's backends the site is set up with."""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.urls import reverse

from jobs.notify.words import words_of

if TYPE_CHECKING:
    from jobs.models import Notice, NotificationChannel

SALT = "jobs.notify.email"
CONFIRM_SECONDS = 3 * 24 * 3600
MAIL_ERRORS = (OSError, smtplib.SMTPException)


def is_set_up() -> bool:
    return bool(settings.DEFAULT_FROM_EMAIL)


def send(notice: Notice) -> str:
    """What went wrong, in a sentence; empty where the mail server took it."""
    channel = notice.channel
    words = words_of(notice)
    text = f"{words.text}\n\n{words.url}\n" if channel.is_confirmed else confirmation(channel)
    title = words.title if channel.is_confirmed else "Confirm your address for MaxFT"
    message = EmailMessage(title, text, to=[channel.target])
    # The same in each try: a mailbox that gets it twice can tell.
    message.extra_headers["Message-ID"] = f"<{notice.number}@maxft>"
    message.extra_headers["Auto-Submitted"] = "auto-generated"
    try:
        message.send()
    except MAIL_ERRORS as error:
        return f"The mail server did not take it: {type(error).__name__}."
    return ""


def confirmation(channel: NotificationChannel) -> str:
    token = signing.dumps(channel.pk, salt=SALT)
    link = f"{channel.site_url.rstrip('/')}{reverse('jobs:email-confirm', args=[token])}"
    return (
        f"{channel.owner.get_username()} wants to be told here of their runs. If that is you, open "
        f"this link while you are signed in:\n\n{link}\n\nElse do nothing: no more comes.\n"
    )


def confirmed_by(token: str) -> int | None:
    """The channel that a link is about; None where it was altered or is older than three days."""
    try:
        found = signing.loads(token, salt=SALT, max_age=CONFIRM_SECONDS)
    except signing.BadSignature:
        return None
    return int(found)
