"""What is said to open pages: little, in order, and never in the way of the process's end."""

from __future__ import annotations

import subprocess
import sys

from jobs.live import MAX_EVENTS_ALONG, Notification
from tests.site_process import ROOT

STATE_ONLY = Notification(8, 7, None)


def events(first: int, last: int) -> Notification:
    return Notification(first, last, [{"seq": seq} for seq in range(first, last + 1)])


def test_what_follows_rides_along() -> None:
    assert events(1, 3).merged_with(events(4, 5)) == events(1, 5)


def test_a_gap_is_left_to_the_database() -> None:
    assert events(1, 3).merged_with(events(5, 6)) == Notification(1, 6, None)
    assert events(1, 3).merged_with(Notification(4, 9, None)) == Notification(1, 9, None)


def test_too_much_is_left_to_the_database() -> None:
    many = events(1, MAX_EVENTS_ALONG)
    assert many.merged_with(events(MAX_EVENTS_ALONG + 1, MAX_EVENTS_ALONG + 1)).events is None


def test_a_new_state_hides_no_event() -> None:
    assert events(1, 7).merged_with(STATE_ONLY) == events(1, 7)
    assert STATE_ONLY.merged_with(events(8, 9)) == events(8, 9)


def test_a_process_that_has_announced_can_end() -> None:
    script = "import django; django.setup(); from jobs.live import announce; announce(1, 1, 1)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60, check=True)
