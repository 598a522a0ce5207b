"""Token view as the page shows it: tokens with their states, findings, the plot of lengths."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any, NamedTuple

from jobs.run_page.charts import layout
from maxaillm.dev.finetune.data.analysis.findings import HIDDEN, escaped
from maxaillm.dev.finetune.run.events.metric_info import MetricInfo

MAX_SHOWN = 1500
"""Tokens of a row that are shown at least; of a very long one the rest is only counted."""
UNKNOWN_SHARE = 0.01
"""From which share of tokens on it is said that the model does not know them."""
VISIBLE = str.maketrans({"\n": "↵\n", "\t": "⇥", "\r": "␍"})
LENGTHS = MetricInfo("Length of a row", unit="tokens")


class Piece(NamedTuple):
    """A token; `kind` decides its colour."""

    text: str
    id: int
    kind: str
    is_special: bool
    says: str


class Group(NamedTuple):
    """Neighbouring tokens that the model sees, or that are all cut."""

    is_cut: bool
    pieces: list[Piece]


class ShownStream(NamedTuple):
    """A token sequence of a row, cut to what is shown; a preference row has one for each answer."""

    title: str
    says: str
    counts: dict[str, int]
    groups: list[Group]
    hidden: int
    """Tokens that are too many to show."""


class Finding(NamedTuple):
    """A finding about the lengths of rows; `tokens`: the maximum length that would help."""

    level: str
    title: str
    text: str = ""
    tokens: int = 0
    places: tuple[int, ...] = ()
    """The first of the rows that it speaks of."""

    @property
    def button(self) -> str:
        return f"Look at {self.tokens:,} tokens"


def shown_streams(row: Mapping[str, Any]) -> list[ShownStream]:
    """The streams of a row, until enough is shown; two answers are shown both."""
    shown: list[ShownStream] = []
    room = MAX_SHOWN
    for stream in row["streams"]:
        if room <= 0 and not stream["title"]:
            break
        shown.append(shown_stream(stream))
        room -= len(stream["tokens"])
    return shown


def shown_stream(stream: Mapping[str, Any]) -> ShownStream:
    tokens = stream["tokens"][:MAX_SHOWN]
    groups = [
        Group(is_cut, [piece_of(token) for token in together])
        for is_cut, together in groupby(tokens, key=lambda token: token["state"] == "cut")
    ]
    counts = {state: stream[state] for state in ("trained", "context", "cut")}
    hidden = len(stream["tokens"]) - len(tokens)
    return ShownStream(stream["title"], stream["says"], counts, groups, hidden)


def piece_of(token: Mapping[str, Any]) -> Piece:
    kind = "special" if token["special"] and token["state"] == "context" else token["state"]
    text = HIDDEN.sub(escaped, token["text"]).translate(VISIBLE)
    return Piece(text or "∅", token["id"], kind, token["special"], token.get("says", ""))


def findings_of(facts: Mapping[str, Any]) -> list[Finding]:
    """The findings, the worst first."""
    found = [*problems(facts), *notes(facts)]
    if found:
        return found
    return [Finding("ok", "Every row is seen whole", f"The longest has {longest(facts):,} tokens.")]


def problems(facts: Mapping[str, Any]) -> list[Finding]:
    if facts["refusal"]:
        title = "A run would be refused: there is nothing to learn"
        return [Finding("bad", title, said_of_dropped(facts), helping(facts))]
    found = []
    if facts["longer_rows"]:
        share = facts["longer_rows"] / facts["rows"]
        title = f"{rows(facts, 'longer_rows')}, {share * 100:.1f} %, are cut"
        places = tuple(facts["longer_at"])
        found.append(Finding("warn", title, alternatives(facts), helping(facts), places))
    if facts["lost_rows"]:
        title = f"{rows(facts, 'lost_rows')} lose their whole answer and would be left out"
        text = "The maximum length ends before the answer begins."
        found.append(Finding("warn", title, text, places=tuple(facts["lost_at"])))
    if facts["dropped_rows"] > facts["lost_rows"]:
        title = f"{rows(facts, 'dropped_rows')} would be left out"
        found.append(Finding("warn", title, said_of_dropped(facts)))
    return found


def refusals_of(facts: Mapping[str, Any]) -> list[Finding]:
    """What the model's chat template can't write."""
    found = problems(facts)
    refused = [one for one in found if one.level == "bad" or not (one.tokens or one.places)]
    return [*refused, *placeless(facts)]


def placeless(facts: Mapping[str, Any]) -> list[Finding]:
    """What a template has no place for, in one finding."""
    counts: Mapping[str, int] = facts["in_texts"]
    if not counts:
        return []
    *others, last = counts
    what = f"{', '.join(others)} and {last}" if others else last
    most = max(counts.values())
    text = f"In {most:,} rows they stand in a text, as they will in prompts to the tuned model."
    return [Finding("warn", f"The chat template has no place for {what}", text)]


def said_of_dropped(facts: Mapping[str, Any]) -> str:
    """Why rows are left out, each reason with its count."""
    reasons = [
        f"{count:,} rows: {reason} {facts['hints'].get(reason, '')}".rstrip()
        for reason, count in facts["dropped"].items()
    ]
    return " ".join(reasons) or str(facts["refusal"]["hint"])


def notes(facts: Mapping[str, Any]) -> list[Finding]:
    found = [Finding("warn", warning) for warning in facts["warnings"]]
    found += placeless(facts)
    unknown = facts["unknown_tokens"] / max(1, facts["tokens"])
    if unknown >= UNKNOWN_SHARE:
        title = f"{unknown * 100:.0f} % of the tokens are unknown to the model"
        text = "Its tokenizer has no sign for what is written there. Choose another model."
        found.append(Finding("warn", title, text))
    if facts["divided_rows"]:
        title = f"{rows(facts, 'divided_rows')} are divided into pieces"
        text = f"A piece has up to {facts['visible_length']:,} tokens; nothing is cut."
        found.append(Finding("", title, text))
    return found


def rows(facts: Mapping[str, Any], name: str) -> str:
    return f"{facts[name]:,} of {facts['rows']:,} rows"


def longest(facts: Mapping[str, Any]) -> int:
    return int(facts["length"]["max"])


def reaches(facts: Mapping[str, Any], tokens: int) -> bool:
    """Whether the model can see so many tokens, and they are more than it is shown now."""
    return bool(facts["visible_length"] < tokens <= (facts["context_length"] or tokens))


def helping(facts: Mapping[str, Any]) -> int:
    """A maximum length that cuts as little as the model allows; 0: this one does."""
    if not facts["length"]:
        return 0
    tokens = min(longest(facts), facts["context_length"] or longest(facts))
    return tokens if reaches(facts, tokens) else 0


def alternatives(facts: Mapping[str, Any]) -> str:
    """What other maximum lengths would cut."""
    words = {0.0: "none", 0.01: "1 %", 0.05: "5 %"}
    least = {way["tokens"]: words[way["cut_share"]] for way in reversed(facts["max_length_for"])}
    ways = [
        f"{tokens:,} tokens would cut {word}"
        for tokens, word in least.items()
        if reaches(facts, tokens)
    ]
    context = facts["context_length"]
    limit = (
        [f"the model sees {context:,} tokens at most"]
        if context and context < longest(facts)
        else []
    )
    return "; ".join(ways + limit).capitalize() + "." if ways or limit else ""


def lengths_figure(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A Plotly figure as plain JSON: how many rows are how long, and where they are cut."""
    bins, limit = facts["histogram"], facts["visible_length"]
    size = bins[0]["to"] or 1
    over = limit if facts["longer_rows"] else float("inf")  # what is divided is not cut
    color = ["var(--bad)" if part["from"] >= over else "var(--series-1)" for part in bins]
    bars = {
        "type": "bar",
        "x": [part["from"] + size / 2 for part in bins],
        "y": [part["rows"] for part in bins],
        "width": 0.9 * size,
        "customdata": [span_of(part) for part in bins],
        "hovertemplate": "%{customdata} tokens: %{y:,} rows<extra></extra>",
        "marker": {"color": color},
    }
    drawn = layout(LENGTHS)
    drawn["hovermode"] = "closest"
    drawn["yaxis"] |= {"tickformat": ",", "rangemode": "tozero"}
    drawn["xaxis"] |= {"range": [0, bins[-1]["from"] + size]}
    if limit <= bins[-1]["from"] + size:
        line = {"color": "var(--bad)", "width": 1.5, "dash": "dash"}
        ends = {"x0": limit, "x1": limit, "y0": 0, "y1": 1, "yref": "paper"}
        drawn["shapes"] = [{"type": "line", "line": line} | ends]
    return {"data": [bars], "layout": drawn}


def span_of(part: Mapping[str, Any]) -> str:
    if part["to"] is None:
        return f"{part['from']:,} and more"
    return f"{part['from']:,} to {part['to'] - 1:,}"
