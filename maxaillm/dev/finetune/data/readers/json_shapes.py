"""The shape of a JSON document: which of its lists are the rows, of which split.

A document that begins with `{` is a single record, records one below the other, or a wrapper such
as `{"version": 1, "train": [...], "test": [...]}`; tables are written column by column or row by
row (pandas' orients). Its first object is read once to tell which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from maxaillm.dev.finetune.data.readers.encoding import Encoding
from maxaillm.dev.finetune.data.readers.json_records import Decoder
from maxaillm.dev.finetune.data.readers.json_text import JsonText
from maxaillm.dev.finetune.data.readers.sources import Source
from maxaillm.dev.finetune.data.rows.splits import split_of_path
from maxaillm.dev.finetune.errors import DataError

WRAPPERS = ("data", "rows", "records", "examples", "items", "dataset")
"""Keys under which a list is the rows of the file rather than a value of its one row."""
WITHIN = (*WRAPPERS, "rasa_nlu_data")
"""Keys under which a whole wrapper may lie."""
RECORD_LISTS = set(
    """
    messages conversations conversation texts dialogue dialog chat turns contents history tools
    paragraphs qas answers instances choices chosen rejected completions tokens words tags labels
    ner_tags pos_tags chunk_tags label entities spans annotations predictions
    """.split()  # noqa: SIM905
)
"""Keys under which a list belongs to one record."""
DESCRIPTIONS = {"columns", "index", "schema", "features"}
"""Keys that say what the columns are."""
SPEAKERS = {"role", "from"}


class Known(NamedTuple):
    """A document that holds no rows to learn from as it stands: its keys, and what to do."""

    keys: frozenset[str]
    words: str
    fix: str


KNOWN_DOCUMENTS = (
    Known(
        frozenset({"images", "annotations", "categories"}),
        "COCO's annotations of images",
        "Only text is learned. Of captions, write rows with the columns text and label.",
    ),
    Known(
        frozenset({"_via_settings", "_via_img_metadata"}),
        "a project of the VGG Image Annotator",
        "Only text is learned. If regions hold text, write it into a column named text.",
    ),
    Known(
        frozenset({"cells", "nbformat"}),
        "a Jupyter notebook",
        "Export the data that it makes, such as by to_json(lines=True) of pandas.",
    ),
    Known(
        frozenset({"intents", "entities", "utterances"}),
        "an assistant's intents and utterances (LUIS)",
        "Save the list utterances alone: its rows have a text and an intent.",
    ),
)


class Shape(NamedTuple):
    """How a document holds its rows."""

    kind: Literal["records", "wrapper", "columns", "index", "tables"]
    rows_key: str | None = None
    """Of a wrapper, a key with rows beside those that are known."""
    within: str | None = None
    """The key under which the wrapper, or the table, lies."""


RECORDS = Shape("records")


class Seen(NamedTuple):
    """What an object holds: its values, and under which keys lists of objects, how long."""

    values: dict[str, Any]
    lists: dict[str, int]


def holds_rows(key: str) -> bool:
    return key in WRAPPERS or split_of_path(key) is not None


def shape_of(source: Source, encoding: Encoding) -> Shape:
    """Raises DataError where the document's first object can't be read."""
    with encoding.open(source, newline=None) as file:
        text = JsonText(file, Decoder(is_broken=encoding.is_broken))
        if text.peek() != "{":
            return RECORDS
        found = object_shape(text)
    return found if isinstance(found, Shape) else shape_of_values(found)


def object_shape(text: JsonText, *, is_within: bool = False) -> Shape | Seen:
    """The shape of the object that comes next; what it holds, where no key tells at once."""
    seen = Seen({}, {})
    text.take("{")
    while text.peek() == '"':
        key = str(text.value().value)
        text.take(":")
        shape = shape_at(text, key, seen, is_within=is_within)
        if shape is not None:
            return shape
        if text.take(",", "}") == "}":
            return seen
    text.take("}")
    return seen


def shape_at(text: JsonText, key: str, seen: Seen, *, is_within: bool) -> Shape | None:
    """What the value of `key` tells, if that is the shape; it is noted down else."""
    first = text.peek()
    if first == "[" and not seen.values.keys() & RECORD_LISTS:
        return shape_at_list(text, key, seen)
    if first == "{" and key in WITHIN and not is_within:
        return shape_within(text, key, seen)
    seen.values[key] = text.value().value
    text.decoder.take_notes()
    return None


def shape_at_list(text: JsonText, key: str, seen: Seen) -> Shape | None:
    text.take("[")
    first = text.peek()
    if (first in ("{", "[") and holds_rows(key)) or (first == "]" and key in WRAPPERS):
        return Shape("wrapper")
    if first != "{" or key in RECORD_LISTS | DESCRIPTIONS:
        seen.values[key] = rest_of_list(text)
        return None
    count = count_objects(text)
    if count is None:
        return RECORDS
    seen.lists[key] = count
    return None


def shape_within(text: JsonText, key: str, seen: Seen) -> Shape | None:
    inner = object_shape(text, is_within=True)
    shape = inner if isinstance(inner, Shape) else shape_of_values(inner)
    if shape != RECORDS:
        return shape._replace(within=key)
    if isinstance(inner, Shape):
        return RECORDS
    seen.values[key] = inner.values
    return None


def count_objects(text: JsonText) -> int | None:
    """How many items the list has that was opened; None where they are turns of a talk."""
    count = 0
    while True:
        item = text.value().value
        text.decoder.take_notes()
        if not count and isinstance(item, dict) and item.keys() & SPEAKERS:
            return None
        count += 1
        if text.take(",", "]") == "]":
            return count


def rest_of_list(text: JsonText) -> list[Any]:
    items: list[Any] = []
    if text.peek() == "]":
        text.take("]")
        return items
    while True:
        items.append(text.value().value)
        text.decoder.take_notes()
        if text.take(",", "]") == "]":
            return items


def shape_of_values(seen: Seen) -> Shape:
    """Raises DataError where several lists may be the rows."""
    values, lists = seen
    refuse_known(values.keys() | lists.keys())
    if len(lists) > 1:
        raise several_lists(lists)
    for key, count in lists.items():
        return Shape("wrapper", rows_key=key) if count > 1 else RECORDS
    if holds_text_lists(values):
        return Shape("wrapper")
    if are_tables_of_splits(values):
        return Shape("tables")
    if is_table_of_columns(values):
        return Shape("columns")
    if is_table_of_rows(values):
        return Shape("index")
    return RECORDS


def refuse_known(keys: Collection[str]) -> None:
    known = next((one for one in KNOWN_DOCUMENTS if one.keys <= set(keys)), None)
    if known is not None:
        message = f"This looks like {known.words}, which no format reads."
        raise DataError(message, known.fix, code="unsupported_format")


def several_lists(lists: Mapping[str, int]) -> DataError:
    told = ", ".join(f"{key!r} ({count:,})" for key, count in lists.items())
    return DataError(
        f"The file holds several lists of objects: {told}.",
        "Save the list with the rows as a file of its own, or name the lists train, validation "
        "and test.",
        code="several_lists",
    )


def holds_text_lists(values: Mapping[str, Any]) -> bool:
    """Whether lists of texts lie under names of splits, and no other list."""
    lists = {key: value for key, value in values.items() if isinstance(value, list) and value}
    return bool(lists) and all(
        split_of_path(key) is not None and all(isinstance(item, str) for item in value)
        for key, value in lists.items()
    )


def are_tables_of_splits(values: Mapping[str, Any]) -> bool:
    """Whether a table lies under the name of each split: {"train": {"text": [...], ...}, ...}."""
    tables = {key: value for key, value in values.items() if split_of_path(key) is not None}
    return bool(tables) and all(
        isinstance(table, dict) and (is_table_of_columns(table) or is_table_of_rows(table))
        for table in tables.values()
    )


def is_table_of_columns(values: Mapping[str, Any]) -> bool:
    """{"text": {"0": ..., "1": ...}, "label": {...}}, or a list a column."""
    columns = list(values.values())
    if len(columns) < 2 and not (columns and isinstance(columns[0], dict)):
        return False
    if all(isinstance(column, dict) and column for column in columns):
        places = columns[0].keys()
        return all(column.keys() == places for column in columns) and are_places(places)
    if values.keys() & RECORD_LISTS - {"label", "labels"} or not all(
        isinstance(column, list) for column in columns
    ):
        return False
    length = len(columns[0])
    is_even = length > 1 and all(len(column) == length for column in columns)
    return is_even and any(all(isinstance(cell, str) for cell in column) for column in columns)


def are_places(keys: Sequence[str] | Any) -> bool:
    return all(key.removeprefix("-").isdecimal() for key in keys)


def is_table_of_rows(values: Mapping[str, Any]) -> bool:
    """{"0": {"text": ..., "label": ...}, "1": {...}}: rows by number or by name."""
    rows = list(values.values())
    if len(rows) < 2 or not all(isinstance(row, dict) and row for row in rows):
        return False
    names = rows[0].keys()
    alike = sum(row.keys() == names for row in rows)
    return 2 * alike > len(rows) and not names & (SPEAKERS | {"value", "content"})
