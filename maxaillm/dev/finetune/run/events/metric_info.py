"""Metric metadata: what a number of an event is called, its unit, its format, its chart."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import GetJsonSchemaHandler
from pydantic.dataclasses import dataclass
from pydantic_core import CoreSchema

Format = Literal["number", "decimal", "scientific", "count", "bytes", "percent"]
"""How values are written; `percent` is of shares, 0 to 1, `decimal` never in powers of ten."""
Better = Literal["lower", "higher", "none"]

TEXT: dict[Format, str] = {"count": ",.0f", "bytes": ",.0f", "percent": ".1%"}


class Chart(NamedTuple):
    """A chart that several metrics share. Charts stand in the order in which metrics name them."""

    name: str
    title: str


@dataclass(frozen=True)
class MetricInfo:
    """Marks a field of an event as a metric: `loss: Annotated[float | None, MetricInfo(…)]`.

    It checks itself, for type checkers don't look into `Annotated`.

    `chart`: the chart that draws it, or "own" for one by itself; None: it is not drawn.
    `trace`: its name in the legend of that chart, else its label. `bounds`: its lowest and
    highest value, where known. `in_progress_line`: shown on a terminal while a run goes on.
    """

    label: str
    unit: str = ""
    format: Format = "number"
    better: Better = "none"
    chart: Chart | Literal["own"] | None = None
    trace: str = ""
    bounds: tuple[float, float] | None = None
    in_progress_line: bool = False

    def text(self, value: float | None) -> str:
        """A value with its unit, for a terminal."""
        written = str(value) if value is None else format(value, TEXT.get(self.format, ",.4g"))
        return f"{written} {self.unit}".rstrip()

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The field's JSON schema with the metric's label, unit and direction."""
        words = {"title": self.label, "x-unit": self.unit, "x-better": self.better}
        return handler(core_schema) | {name: word for name, word in words.items() if word}
