"""How a file is written, as fields of the mapping page: encoding, delimiter, header, sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from datasets_app.models import DatasetVersion
from maxaillm.dev.finetune.data.readers.options import DELIMITERS, ENCODINGS, ReadOptions

TABLES = {"csv", "tsv", "text"}
TEXTS = {*TABLES, "json", "jsonl", "conll"}
PREFIX = "read-"
MOST = {"skip_rows": 1000, "header_rows": 5}


class Choice(NamedTuple):
    value: str
    label: str
    is_chosen: bool


class ReadingField(NamedTuple):
    """An option of reading: a number, or one of some choices."""

    control: str
    title: str
    help: str
    value: str
    choices: Sequence[Choice]
    found: str
    """What it is where nothing is said."""
    most: int | None


class ReadingForm:
    """What is said of how the file is written; read from a request, or as it was said last."""

    def __init__(self, version: DatasetVersion, data: Mapping[str, str]) -> None:
        self.version = version
        sent = {
            name: data[PREFIX + name] for name in ReadOptions.model_fields if PREFIX + name in data
        }
        said = sent if sent else version.reading
        self.raw: dict[str, Any] = {name: value for name, value in said.items() if value != ""}

    @property
    def problem(self) -> str:
        """What is wrong with what was said; "" where nothing is."""
        try:
            ReadOptions.model_validate(self.raw)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            title = ReadOptions.model_fields[str(first["loc"][0])].title
            return f"{title}: {first['msg'].removeprefix('Value error, ')}."
        return ""

    @property
    def reading(self) -> dict[str, Any]:
        return {} if self.problem else ReadOptions.model_validate(self.raw).given

    def fields(self, kind: str, read_as: Mapping[str, Any], sheets: Sequence[str]) -> list[Any]:
        """Those that matter for a file of this kind, which was `read_as`."""
        names = ["encoding"] if kind in TEXTS else []
        names += ["delimiter"] if kind in TABLES else []
        names += ["skip_rows", "header_rows"] if kind in {*TABLES, "spreadsheet"} else []
        names += ["sheet"] if len(sheets) > 1 else []
        options = {
            "encoding": ENCODINGS,
            "delimiter": DELIMITERS,
            "sheet": {sheet: sheet for sheet in sheets},
        }
        return [self.field(name, options.get(name, {}), read_as.get(name)) for name in names]

    def field(self, name: str, options: Mapping[str, str], found: Any) -> ReadingField:
        info = ReadOptions.model_fields[name]
        value = str(self.raw.get(name, ""))
        choices = [Choice(key, words, key == value) for key, words in options.items()]
        if name == "encoding":
            found = options.get(str(found)) or self.version.encoding
        elif options:
            found = options.get(str(found), "")
        return ReadingField(
            f"{PREFIX}{name}",
            info.title or name,
            info.description or "",
            value,
            choices,
            "" if found is None else str(found),
            MOST.get(name),
        )
