"""The form that gives each column of a file its part in a format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from datasets_app.models import DatasetVersion
from datasets_app.services.mapping import parse_format
from maxaillm.dev.finetune.data.formats import DataFormat, formats
from maxaillm.dev.finetune.data.readers.options import DELIMITERS
from maxaillm.dev.finetune.errors import ConfigError
from maxaillm.dev.finetune.tasks import TASKS, kinds_for
from maxft_site.web.schema_forms.info import extra_of

OTHERS = {"\n": "Line end", "/": "Slash"}


class Part(NamedTuple):
    """A field of a format, as an option of the drop-downs."""

    name: str
    title: str
    help: str
    is_required: bool
    is_list: bool
    """Whether several columns may have it."""
    template: str | None
    """What combines several columns into it, "" where nothing does; None where nothing may."""


class Question(NamedTuple):
    """A field of a format that names no column, and what may be answered."""

    control: str
    title: str
    help: str
    choices: list[dict[str, str]]
    chosen: str


class Column(NamedTuple):
    """A column of the file with its drop-down."""

    control: str
    name: str
    part: str


def is_needed(info: FieldInfo) -> bool:
    return NoneType not in get_args(info.annotation)


class Option(NamedTuple):
    """A field of a format that is no column, with what may be chosen."""

    control: str
    title: str
    help: str
    value: str
    choices: list[tuple[str, str]]


class MappingForm:
    """Chosen format and, for each column, its part; read from a request or guessed."""

    def __init__(
        self,
        version: DatasetVersion,
        data: Mapping[str, str] | None = None,
        columns: Sequence[str] | None = None,
        guess: dict[str, Any] | None = None,
    ) -> None:
        """`columns` are those of the file as it is read now, where that is not as it was checked,
        and `guess` is the format that they look like."""
        self.version = version
        self.names = list(version.columns if columns is None else columns)
        stored = version.format or version.facts.get("guess") or {}
        self.start: dict[str, Any] = (stored if columns is None else guess) or {}
        data = data or {}
        is_same = data.get("names", self.digest) == self.digest
        self.schema = self.chosen_schema(data.get("format", "") if is_same else "")
        asked = any(name.startswith("column-") for name in data) and data.get("of") == self.name
        asked = asked and is_same
        templates = data if asked else self.guess_templates()
        self.parts = [
            Part(
                name,
                info.title or name,
                info.description or "",
                is_needed(info),
                get_origin(info.annotation) is tuple,
                templates.get(f"template-{name}", "") if name in self.texts else None,
            )
            for name, info in self.schema.model_fields.items()
            if name != "name" and name not in self.schema.no_columns()
        ]
        self.options = [self.option(name, data if asked else None) for name in self.option_names]
        self.answers = self.read_answers(data)
        self.columns = list(self.read_columns(data) if asked else self.guess_columns())

    @property
    def digest(self) -> str:
        """Stands for the columns: choices that were made for others are forgotten."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        return str(self.schema.model_fields["name"].default)

    def chosen_schema(self, name: str) -> type[DataFormat]:
        """As asked for; else as it was or looks; else pairs of texts."""
        candidates = (name, self.start.get("name", ""), "prompt_completion")
        return formats[next(candidate for candidate in candidates if candidate in formats)]

    def read_columns(self, data: Mapping[str, str]) -> Iterator[Column]:
        for index, name in enumerate(self.names):
            part = data.get(f"column-{index}", "")
            yield Column(f"column-{index}", name, part)

    def guess_columns(self) -> Iterator[Column]:
        if self.start.get("name") == self.name:
            known = {
                column: part
                for part, value in self.start.items()
                for column in ([value] if isinstance(value, str) else value or ())
                if part != "name" and part not in self.schema.no_columns()
            }
        else:
            fields = self.schema.model_fields
            known = {fields[part.name].default: part.name for part in self.parts}
            known |= {part.name: part.name for part in self.parts}
        for index, name in enumerate(self.names):
            yield Column(f"column-{index}", name, known.get(name, ""))

    def read_answers(self, data: Mapping[str, str]) -> dict[str, str]:
        """How the columns are meant: as asked for, else as it was, else as usual."""
        known = self.start if self.start.get("name") == self.name else {}
        fields = self.schema.model_fields
        return {
            name: data.get(f"option-{name}") or str(known.get(name) or fields[name].default)
            for name in sorted(self.schema.meanings())
        }

    @property
    def questions(self) -> list[Question]:
        return [self.question(name, answer) for name, answer in self.answers.items()]

    def question(self, name: str, answer: str) -> Question:
        info = self.schema.model_fields[name]
        choices = [
            {"value": value, "label": word, "text": effect.strip()}
            for value, label in extra_of(info)["labels"].items()
            for word, _, effect in [label.partition(":")]
        ]
        title, help = info.title or name, info.description or ""
        return Question(f"option-{name}", title, help, choices, answer)

    @property
    def option_names(self) -> list[str]:
        return sorted(self.schema.option_fields())

    def option(self, name: str, data: Mapping[str, str] | None) -> Option:
        """As it was sent or, before that, as the format stands."""
        info = self.schema.model_fields[name]
        start = self.start.get(name) if self.start.get("name") == self.name else info.default
        value = start or "" if data is None else data.get(f"option-{name}", "")
        allowed = [one for part in get_args(info.annotation) for one in get_args(part)]
        words = DELIMITERS | OTHERS
        choices = [(str(one), words.get(str(one), str(one))) for one in allowed]
        return Option(f"option-{name}", info.title or name, info.description or "", value, choices)

    @property
    def texts(self) -> frozenset[str]:
        """The fields that a template over columns may fill."""
        return frozenset(self.schema.text_fields())

    def guess_templates(self) -> dict[str, str]:
        """What the format combines as it stands."""
        if self.start.get("name") != self.name:
            return {}
        return {
            f"template-{part}": value
            for part, value in self.start.items()
            if isinstance(value, str) and value not in self.names and part in self.texts
        }

    def has_part(self, name: str) -> bool:
        return any(part.name == name for part in self.parts)

    @property
    def has_template(self) -> bool:
        return any(part.template for part in self.parts)

    @property
    def format(self) -> dict[str, Any]:
        """The format as it stands, complete or not."""
        chosen: dict[str, Any] = {"name": self.name, **self.answers}
        for part in self.parts:
            names = [column.name for column in self.columns if column.part == part.name]
            if part.template:
                chosen[part.name] = part.template
            elif names:
                chosen[part.name] = names if part.is_list else names[-1]
        for name, option in zip(self.option_names, self.options, strict=True):
            if option.value:
                chosen[name] = option.value
        return chosen

    @property
    def missing(self) -> list[str]:
        """Sentences about what is still to be chosen; none once the file can be checked."""
        used = [column.part for column in self.columns if column.part]
        single = [part for part in self.parts if not part.is_list]
        twice = [part.title for part in single if used.count(part.name) > 1]
        sentences = [f"Two columns are chosen as {title.lower()}." for title in twice]
        try:
            parse_format(self.format, self.names)
        except ConfigError as error:
            sentences += [problem.message for problem in error.problems]
        return sentences

    @property
    def choices(self) -> list[dict[str, str]]:
        """The usual formats for the page's cards, and the chosen one."""
        return self.cards(lambda name, schema: schema.is_usual or name == self.name)

    @property
    def more_choices(self) -> list[dict[str, str]]:
        return self.cards(lambda name, schema: not schema.is_usual and name != self.name)

    def cards(self, is_shown: Callable[[str, type[DataFormat]], bool]) -> list[dict[str, str]]:
        """Those that give the same kind of example together, in the order of the tasks."""
        kinds = dict.fromkeys(kind for task in TASKS for kind in kinds_for(task))
        places = {kind: place for place, kind in enumerate(kinds)}
        ordered = sorted(
            formats.items(), key=lambda item: (places.get(item[1].gives, len(places)), item[0])
        )
        return [
            {"value": name, "label": schema.label, "text": schema.summary}
            for name, schema in ordered
            if is_shown(name, schema)
        ]
