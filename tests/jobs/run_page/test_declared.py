"""A metric, a chart, a kind of event: declared once, they are everywhere."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Run
from jobs.services.ingest import record_events
from maxaillm.dev.finetune.cli.console import ProgressLine
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.events import Event
from maxaillm.dev.finetune.run.events.kinds import LogEvent
from maxaillm.dev.finetune.run.events.metric_info import Chart, MetricInfo
from maxaillm.dev.finetune.run.events.payload import KINDS, Measurement
from tests.jobs.runs import begin, claimed, fresh, make_run
from tests.jobs.sockets import Socket

pytestmark = pytest.mark.django_db(transaction=True)
HEAT = Chart("heat", "Heat")


class LogWithPower(LogEvent):
    power_watts: Annotated[
        float | None,
        MetricInfo("Power", unit="W", chart="own", bounds=(0, 700), in_progress_line=True),
    ] = None


class GpuEvent(Measurement):
    """What a GPU says of itself."""

    kind: ClassVar[str] = "gpu_sensors"
    core: Annotated[float | None, MetricInfo("Core", unit="°C", chart=HEAT)] = None
    memory: Annotated[float | None, MetricInfo("Memory chips", unit="°C", chart=HEAT)] = None


@pytest.fixture
def run(alice: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A run whose trainer has told of power and heat."""
    monkeypatch.setitem(KINDS, LogEvent.kind, LogWithPower)
    monkeypatch.setitem(KINDS, GpuEvent.kind, GpuEvent)
    events: list[Event] = []
    with Attempt(tmp_path, events.append) as attempt:
        for stage in begin():
            attempt.emit(stage.kind, **stage.data)
        attempt.emit("log", 1, loss=1.5, power_watts=312.5)
        attempt.emit(GpuEvent(core=71.0, memory=88.0), 1)
        attempt.emit(GpuEvent(core=72.0, memory=float("nan")), 1)
    run = claimed(make_run(alice))
    record_events(run.pk, run.attempt, events)
    return fresh(run)


def test_it_is_in_the_series(alice_client: Client, run: Run) -> None:
    answer = alice_client.get(f"/api/v1/runs/{run.pk}/series", {"metric": "power_watts"}).json()
    assert (answer["label"], answer["unit"], answer["value"]) == ("Power", "W", [312.5])
    again = alice_client.get(f"/api/v1/runs/{run.pk}/series", {"metric": "core"}).json()
    assert again["value"] == [72.0]  # a step that comes again replaces the earlier one


def test_it_is_a_chart_of_the_page(alice_client: Client, run: Run) -> None:
    page = alice_client.get(run.get_absolute_url()).text
    assert '<h3 id="chart-power_watts">Power</h3>' in page
    assert '<h3 id="chart-heat">Heat</h3>' in page
    power = alice_client.get(f"/runs/{run.pk}/charts/power_watts.json").json()
    assert power["data"][0]["y"] == [312.5]
    assert power["layout"]["yaxis"]["maxallowed"] == pytest.approx(1.05 * 700)
    heat = alice_client.get(f"/runs/{run.pk}/charts/heat.json").json()["data"]
    assert [(line["name"], line["y"]) for line in heat] == [
        ("core", [72.0]),
        ("memory chips", [None]),
    ]
    assert heat[0]["line"]["color"] != heat[1]["line"]["color"]


def test_it_is_among_the_runs_metrics(alice_client: Client, run: Run) -> None:
    shown = alice_client.get(f"/api/v1/runs/{run.pk}").json()["metrics"]
    assert shown == {"loss": 1.5, "power_watts": 312.5, "core": 72.0, "memory": None}


def test_it_is_described_in_the_api(alice_client: Client, run: Run) -> None:
    schemas = alice_client.get("/api/v1/openapi.json").json()["components"]["schemas"]
    power = schemas["LogWithPower"]["properties"]["power_watts"]
    assert (power["title"], power["x-unit"]) == ("Power", "W")
    variants = schemas["EventsOut"]["properties"]["items"]["items"]["oneOf"]
    gpu = next(v for v in variants if v["properties"]["kind"] == {"const": "gpu_sensors"})
    assert gpu["properties"]["data"] == {"$ref": "#/components/schemas/GpuEvent"}
    assert "core" in schemas["GpuEvent"]["properties"]


def test_it_is_on_the_terminal(run: Run) -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    line(Event(seq=1, kind="log", step=1, time=0, data={"loss": 1.5, "power_watts": 312.5}))
    line(Event(seq=2, kind="gpu_sensors", step=1, time=0, data={"core": 71.0}))
    assert "loss 1.5  312.5 W" in stream.getvalue()
    assert "gpu_sensors (step 1)  core 71\n" in stream.getvalue()


def test_it_is_sent_to_open_pages(alice_client: Client, run: Run) -> None:
    @async_to_sync
    async def follow() -> list[dict[str, Any]]:
        page = Socket(alice_client, f"/ws/runs/{run.pk}/")
        await page.connect()
        await page.say(json.dumps({"after": 0}))
        events = await page.events_until(run.last_seq)
        await page.leave()
        return events

    sent = {event["kind"]: event for event in follow()}
    assert sent["log"]["data"]["power_watts"] == 312.5
    assert sent["gpu_sensors"]["data"]["core"] == 72.0
    assert sent["gpu_sensors"]["section"] == "curves"
