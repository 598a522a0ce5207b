"""Arrow schema of each kind of example, read from its class: how rows lie on the disk."""

from __future__ import annotations

from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from maxaillm.dev.finetune.data.examples import Example, example_kinds

if TYPE_CHECKING:
    import pyarrow as pa

KIND = b"maxaillm.example"
"""The schema's own note of which class its rows are."""
NUMBER = "number"
"""The column with the number of the record, from 1, that a row was made from."""


@cache
def schema_of(kind: type[Example]) -> pa.Schema:
    """A column for each field of the class, behind the number of the record."""
    import pyarrow as pa

    fields = [pa.field(NUMBER, pa.int64()), *fields_of(kind)]
    return pa.schema(fields, metadata={KIND: kind.__name__.encode()})


def kind_of(schema: pa.Schema) -> type[Example] | None:
    """The class of the rows; None where the file is none of ours."""
    return example_kinds.stored_as((schema.metadata or {}).get(KIND, b"").decode())


def fields_of(model: type[BaseModel]) -> list[pa.Field]:
    import pyarrow as pa

    return [pa.field(name, type_of(info.annotation)) for name, info in model.model_fields.items()]


def type_of(annotation: Any) -> pa.DataType:
    import pyarrow as pa

    plain: dict[Any, Any] = {str: pa.string(), float: pa.float64(), bool: pa.bool_()}
    if annotation in plain:
        return plain[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct(fields_of(annotation))
    arguments = get_args(annotation)
    match get_origin(annotation):
        case origin if origin in (Union, UnionType):
            return type_of(next(inner for inner in arguments if inner is not NoneType))
        case origin if origin is Literal:
            return pa.string()
        case origin if origin is Annotated:
            return type_of(arguments[0])
        case origin if origin is list:
            return pa.list_(type_of(arguments[0]))
    raise TypeError(f"no column of a table holds {annotation!r}")
