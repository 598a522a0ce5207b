"""Times, states, icons and controls, as templates show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django import forms
from django.template import engines
from django.utils import timezone

from maxft_site.web.templatetags import ui


def shown(source, **context):
    return engines["django"].from_string("{% load ui %}" + source).render(context).strip()


def test_ago_keeps_the_absolute_time():
    now = timezone.now()
    assert ">just now</time>" in ui.ago(now)
    assert ">5 min ago</time>" in ui.ago(now - timedelta(minutes=5))
    assert ">in 2 h</time>" in ui.ago(now + timedelta(hours=2, seconds=5))
    assert 'title="2026-01-02 03:04 UTC"' in ui.ago(datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    assert ui.ago(None) == "–"


def test_a_state_is_colour_and_icon_and_word():
    page = shown('{% status_badge "ok" "Finished" %}')
    assert 'data-state="ok"' in page
    assert "icons.svg#done" in page
    assert "Finished" in page
    assert "data-state" not in shown('{% status_badge "" "Queued" %}')


def test_what_users_write_is_escaped():
    assert "<b>" not in shown("{% status_badge 'ok' word %}", word="<b>x</b>")


class Small(forms.Form):
    size = forms.IntegerField(help_text="In rows.")
    kind = forms.ChoiceField(choices=[("a", "A")])
    ready = forms.BooleanField(required=False)


def test_controls_get_the_class_of_their_kind_and_their_errors():
    form = Small({"size": "x", "kind": "a"})
    assert 'class="form-control is-invalid"' in ui.control(form["size"])
    assert 'aria-describedby="id_size_helptext id_size_error"' in ui.control(form["size"])
    assert 'class="form-select"' in ui.control(form["kind"])
    assert 'class="form-check-input"' in ui.control(form["ready"])
