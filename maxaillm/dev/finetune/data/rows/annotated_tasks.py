"""Tasks as Label Studio exports them: the data, and annotations with a list of results each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from maxaillm.dev.finetune.data.rows.unread import Unread, objects_in, others
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    columns_by_name,
    is_blank,
    is_mostly,
    items_of,
    object_of,
    wrong_type,
)

ANNOTATIONS = ("annotations", "completions")
NOT_ANNOTATED = RowProblem(
    "no_label", "This task has no annotation.", "Annotate it, or leave it out of the export."
)
SKIPPED = RowProblem(
    "skipped", "Whoever annotated this task has skipped it.", "Leave it out of the export."
)
"""An empty result would be learned as "there is nothing in this text"."""


def columns_of_tasks(sample: Sequence[Row], kinds: Sequence[str]) -> tuple[str, str] | None:
    """The columns of data and annotations, where most tasks have results of these kinds."""
    present = columns_by_name(sample)
    annotations = next((present[name] for name in ANNOTATIONS if name in present), None)
    data = present.get("data")
    if annotations is None or data is None:
        return None
    annotated = [row for row in sample if results_in(row, annotations)]
    if not is_mostly(annotated, lambda row: has_kind(results_in(row, annotations), kinds)):
        return None
    return data, annotations


def has_kind(results: Sequence[Any], kinds: Sequence[str]) -> bool:
    return any(isinstance(one, dict) and one.get("type") in kinds for one in results)


def annotation_problem(row: Row, annotations: str) -> RowProblem | None:
    """Why there is nothing to learn from the annotation of a row, or None."""
    first = first_annotation(row, annotations)
    if first is None:
        return NOT_ANNOTATED
    return SKIPPED if first.get("was_cancelled") else None


def first_annotation(row: Row, annotations: str) -> dict[str, Any] | None:
    return object_of((items_of(row.get(annotations)) or [None])[0])


def results_in(row: Row, annotations: str) -> list[Any]:
    """Those of the first annotation."""
    results = (first_annotation(row, annotations) or {}).get("result")
    return results if isinstance(results, list) else []


def task_text(row: Row, data: str) -> str | RowProblem:
    """The text that was annotated: the longest of the task's data."""
    fields = object_of(row.get(data))
    if fields is None:
        return wrong_type(data, row.get(data), "an object with the text")
    texts = [value for value in fields.values() if isinstance(value, str)]
    text = max(texts, key=len, default="")
    if is_blank(text):
        return RowProblem("empty", f"{data!r} holds no text.", "Only tasks about text are learned.")
    return text


def unread_in_data(value: Any) -> Iterator[str]:
    """The data beside the text."""
    fields = object_of(value) or {}
    texts = {name: text for name, text in fields.items() if isinstance(text, str)}
    read = max(texts, key=lambda name: len(texts[name]), default="")
    yield from others({read}, fields)


def unread_in_annotations(kinds: Sequence[str], unread_in_values: Unread) -> Unread:
    """Finds what annotations hold beside results of these kinds."""

    def unread(value: Any) -> Iterator[str]:
        for annotation in objects_in(value):
            yield from others({"result", "was_cancelled"}, annotation)
            for result in objects_in(annotation.get("result")):
                if result.get("type") not in kinds:
                    yield f"result.{result.get('type')}"
                    continue
                yield from (f"result.{key}" for key in others({"type", "value"}, result))
                inner = unread_in_values(result.get("value"))
                yield from (f"result.value.{key}" for key in inner)

    return unread


def values_of(results: Sequence[Any], kinds: Sequence[str]) -> list[dict[str, Any]]:
    """The values of results of these kinds."""
    found = [one for one in results if isinstance(one, dict) and one.get("type") in kinds]
    return [one["value"] for one in found if isinstance(one.get("value"), dict)]
