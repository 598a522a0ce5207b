"""Values of Arrow columns as those that JSON has: dates as text, decimals as numbers."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from math import isinf, isnan
from typing import TYPE_CHECKING, Any

from maxaillm.dev.finetune.data.readers.cleaning import clean_text
from maxaillm.dev.finetune.data.readers.json_records import NOT_A_NUMBER
from maxaillm.dev.finetune.data.readers.records import Note

if TYPE_CHECKING:
    import pyarrow as pa

BYTES = Note("bytes", "Bytes that are no text are written as Base64.")
Notes = set[Note]


def column_values(column: pa.Array, found: dict[int, Notes]) -> list[Any]:
    """The values of a column; what is to be told of them is added to `found`, by position.

    Raises ValueError for a value that Python can't hold, such as a year beyond 9999.
    """
    values: list[Any] = column.to_pylist()
    if is_plain(column):
        return list(map(without_padding, values)) if has_objects(column.type) else values
    for position, value in enumerate(values):
        notes: Notes = set()
        values[position] = plain(value, notes)
        if notes:
            found.setdefault(position, set()).update(notes)
    return values


def has_objects(kind: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind):
        return has_objects(kind.value_type)
    return bool(types.is_struct(kind))


def without_padding(value: Any) -> Any:
    """Arrow gives each object the keys of all others, as nulls: these no file has written."""
    if isinstance(value, dict):
        return {key: without_padding(item) for key, item in value.items() if item is not None}
    return list(map(without_padding, value)) if isinstance(value, list) else value


def is_plain(array: pa.Array) -> bool:
    """Whether Python's values are JSON's as they are: told for a whole column, in C++."""
    from pyarrow import compute, types

    kind = array.type
    if types.is_list(kind) or types.is_large_list(kind):
        return is_plain(array.flatten())
    if types.is_struct(kind):
        return all(map(is_plain, array.flatten()))
    if types.is_string(kind) or types.is_large_string(kind):
        return not compute.any(compute.match_substring(array, "\0")).as_py()
    if types.is_float32(kind) or types.is_float64(kind):
        return compute.all(compute.is_finite(array)).as_py() is not False
    return bool(types.is_integer(kind) or types.is_boolean(kind) or types.is_null(kind))


def plain(value: Any, notes: Notes) -> Any:
    """`value`, what is in it included, as JSON knows it."""
    if value is None or isinstance(value, bool | int):
        return value
    for kind, converted in CONVERTED.items():
        if isinstance(value, kind):
            return converted(value, notes)
    return clean_text(str(value), notes)


def list_of(value: list[Any] | tuple[Any, ...], notes: Notes) -> list[Any]:
    return [plain(item, notes) for item in value]


def object_of(value: dict[str, Any], notes: Notes) -> dict[str, Any]:
    return {
        clean_text(key, notes): plain(item, notes)
        for key, item in value.items()
        if item is not None
    }


def number_of(value: float | Decimal, notes: Notes) -> float | int | None:
    """NaN stands for a missing number, as pandas writes it."""
    if isnan(value):
        return None
    if isinf(value):
        notes.add(NOT_A_NUMBER)
    elif isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return float(value)


def text_of(value: bytes, notes: Notes) -> str:
    try:
        return clean_text(value.decode(), notes)
    except UnicodeDecodeError:
        notes.add(BYTES)
        return b64encode(value).decode()


CONVERTED: dict[type, Callable[[Any, Notes], Any]] = {
    str: clean_text,
    list: list_of,
    tuple: list_of,  # an entry of a map
    dict: object_of,
    float: number_of,
    Decimal: number_of,
    bytes: text_of,
    date: lambda value, _notes: value.isoformat(),
    time: lambda value, _notes: value.isoformat(),
    timedelta: lambda value, _notes: value.total_seconds(),
}


def size_of(row: dict[str, Any]) -> int:
    """About how many characters a row has."""
    size, waiting = 0, list(row.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        else:
            size += len(value) if isinstance(value, str) else 8
    return size
