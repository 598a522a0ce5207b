"""What is known of a model beside its files, and the model card made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, JsonValue

from maxaillm.dev.finetune.tasks import TASKS

if TYPE_CHECKING:
    from huggingface_hub import ModelCard

CARD_BODY = """\
# {name}

{lead}

{sections}"""


class TrainedOn(BaseModel):
    """A dataset, so that it can be known again."""

    name: str
    version: int | None = None
    rows: int | None = None
    sha256: str = ""
    license: str = ""


class Score(BaseModel):
    """A metric on held-out rows, and where it lies with 95 % probability."""

    metric: str
    """Its name among metrics, such as perplexity."""
    label: str
    value: float
    low: float | None = None
    high: float | None = None


class About(BaseModel):
    """Of a model: what its card says. What is not known is left out, never made up."""

    model_config = ConfigDict(extra="forbid")

    name: str = "model"
    task: str = ""
    base: str | None = None
    license: str = ""
    """An identifier of the Hub, such as apache-2.0."""
    lineage: list[str] = []
    """What it was made from, the oldest first."""
    datasets: list[TrainedOn] = []
    scores: list[Score] = []
    verdict: str = ""
    configuration: dict[str, JsonValue] = {}
    limits: list[str] = []
    environment: dict[str, str] = {}


class Exported(BaseModel):
    """What the card of an export says besides."""

    label: str
    usage: str
    library: str
    parity: dict[str, Any]


def model_card(about: About, exported: Exported | None = None) -> ModelCard:
    """The card, with the metadata that the Hub reads."""
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    task = TASKS.get(about.task)
    dataset = about.datasets[0] if about.datasets else None
    results = [
        EvalResult(
            task_type=task.pipeline if task else "other",
            dataset_type="private",
            dataset_name=dataset.name if dataset else "held-out rows",
            metric_type=score.metric,
            metric_name=score.label,
            metric_value=score.value,
        )
        for score in about.scores
    ]
    data = ModelCardData(
        model_name=about.name if results else None,
        eval_results=results or None,
        license=about.license or None,
        base_model=about.base,
        library_name=exported.library if exported else "transformers",
        pipeline_tag=task.pipeline if task else None,
        tags=["maxft"],
    )
    text = CARD_BODY.format(
        name=about.name,
        lead=lead_of(about),
        sections="\n".join(sections_of(about, exported)),
    )
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}")


def lead_of(about: About) -> str:
    origin = f", tuned from {code(about.base)}" if about.base else ""
    task = f" for {TASKS[about.task].pipeline}" if about.task in TASKS else ""
    return f"A model{task}{origin}, written by MaxFT."


def sections_of(about: About, exported: Exported | None) -> list[str]:
    made = [
        section("Use", [f"Written as {exported.label}. Open it with {code(exported.usage)}."])
        if exported
        else "",
        section("Data", [row for dataset in about.datasets for row in data_lines(dataset)]),
        section("Scores on held-out rows", [*scores_table(about), after_table(about.verdict)]),
        section("Parity with the trained model", parity_lines(exported.parity) if exported else []),
        section("Limits", [f"- {limit}" for limit in about.limits]),
        section("Made from", [f"{n}. {code(one)}" for n, one in enumerate(about.lineage, 1)]),
        section("Configuration", table("Option", "Value", about.configuration)),
        section("Environment", table("What", "Version", about.environment)),
    ]
    return [text for text in made if text]


def section(title: str, lines: list[str]) -> str:
    body = "\n".join(line for line in lines if line)
    return f"## {title}\n\n{body}\n" if body else ""


def data_lines(dataset: TrainedOn) -> list[str]:
    version = f", version {dataset.version}" if dataset.version else ""
    rows = f", {dataset.rows:,} rows" if dataset.rows else ""
    return [
        f"- {cell(dataset.name)}{version}{rows}",
        f"  - SHA-256 {code(dataset.sha256)}" if dataset.sha256 else "",
        f"  - licence: {cell(dataset.license)}" if dataset.license else "  - licence: not stated",
    ]


def scores_table(about: About) -> list[str]:
    if not about.scores:
        return []
    rows = [
        f"| {cell(score.label)} | {score.value:.4g} | {interval_words(score)} |"
        for score in about.scores
    ]
    return ["| Metric | Value | 95 % interval |", "|---|---|---|", *rows]


def after_table(text: str) -> str:
    """A sentence that is no row of the table above it."""
    return f"\n{cell(text)}" if text else ""


def interval_words(score: Score) -> str:
    if score.low is None or score.high is None:
        return "not measured"
    return f"{score.low:.4g} to {score.high:.4g}"


def parity_lines(parity: dict[str, Any]) -> list[str]:
    equal, tokens = parity["tokens_equal"], parity["tokens"]
    lines = [
        f"Replayed on fixed prompts: largest difference of a logit "
        f"{parity['max_logit_difference']:.2g}, {equal} of {tokens} tokens equal "
        "(`parity.json`).",
    ]
    if read := parity.get("perplexity"):
        lines.append(
            f"Perplexity on {read['rows']:,} rows ({read['on']}): {read['export']:.4g}; "
            f"of the trained model {read['model']:.4g}."
        )
    return lines


def table(first: str, second: str, values: dict[str, Any]) -> list[str]:
    if not values:
        return []
    rows = [f"| {cell(name)} | {cell(words(value))} |" for name, value in values.items()]
    return [f"| {first} | {second} |", "|---|---|", *rows]


def words(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def cell(value: object) -> str:
    """Somebody's text inside a line of Markdown: it ends no cell and makes no markup."""
    flat = " ".join(str(value).split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in flat)


def code(value: object) -> str:
    return f"`{' '.join(str(value).split()).replace('`', chr(39))}`"
