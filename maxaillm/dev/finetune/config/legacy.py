"""Legacy configurations: the specification's loose dicts as a RunConfig.

`model_name`, `training_args`, `data_args` and `peft_config` are read; what has another name now
is renamed, what has no counterpart is left out, and each of these is said in one note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.legacy_names import DROPPED, IGNORED, LEAVE, RENAMED
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.model_files.folder import local_name

Notes = list[str]


class Translated(NamedTuple):
    """A configuration, where its things are to be kept, and what was changed on the way."""

    config: RunConfig
    folder: Path
    notes: Notes


def is_legacy(config: Mapping[str, Any]) -> bool:
    """Whether these are the specification's words rather than RunConfig's."""
    return "model_name" in config


def translate(config: Mapping[str, Any]) -> Translated:
    """The RunConfig of a loose dict. Raises ConfigError with every key that is not known."""
    notes: Notes = []
    arguments = dict(config.get("training_args") or {})
    sections: dict[str, Any] = {
        "model": {"name": local_name(str(config["model_name"]), notes.append)},
        "data": {},
        "training": {},
        "tuning": {"name": "full"},
        "evaluation": {},
    }
    problems = [
        *unknown(config, "", KNOWN),
        *unknown(arguments, "training_args", {*RENAMED, *DROPPED, *IGNORED, *OWN}),
        *place_data(dict(config.get("data_args") or {}), sections["data"], notes),
    ]
    if problems:
        raise ConfigError(problems)
    for name, value in arguments.items():
        place_argument(name, value, sections, notes)
    if config.get("peft_config") is not None:
        sections["tuning"], task = tuning_of(config["peft_config"])
        if task:
            sections["task"] = task
    for name in ("task", "name"):
        if config.get(name):
            sections[name] = config[name]
    folder = Path(str(arguments.get("output_dir") or "./results"))
    return Translated(RunConfig.parse(sections), folder, notes)


KNOWN = {
    "model_name", "dataset_name", "training_args", "data_args", "peft_config", "task", "name",
}  # fmt: skip
OWN = {"output_dir"}


def unknown(given: Mapping[str, Any], path: str, known: set[str]) -> Iterator[Problem]:
    for name, value in given.items():
        if name in known:
            continue
        nearest = get_close_matches(name, sorted(known), n=1)
        guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
        where = f"{path}.{name}" if path else name
        message = f"There is no argument of this name.{guess}"
        yield Problem(where, message, str(value)[:200], ", ".join(sorted(known)))


def place_argument(name: str, value: Any, sections: dict[str, Any], notes: Notes) -> None:
    """Write one of TrainingArguments' options where RunConfig has it, or note why not."""
    if name in DROPPED:
        notes.append(f"{name} is not used: {DROPPED[name]}")
        return
    setting = RENAMED.get(name)
    if setting is None or value is None:
        return
    found = setting.value(value) if setting.value else plain(value)
    if setting.note:
        notes.append(f"{name}: {setting.note}")
    if found is not LEAVE:
        section, option = setting.path.split(".")
        sections[section][option] = found


def place_data(arguments: dict[str, Any], data: dict[str, Any], notes: Notes) -> list[Problem]:
    """`data_args`: rows are cut at max_length always, and packed where that is exact."""
    if "max_length" in arguments:
        data["max_length"] = arguments.pop("max_length")
    if arguments.pop("padding", None) == "max_length":
        notes.append(
            "padding='max_length' is not used: rows are packed or sorted by length, which learns "
            "the same and wastes no time on padding."
        )
    if arguments.pop("truncation", True) is False:
        notes.append("truncation=False is not used: longer rows are cut, and counted.")
    return list(unknown(arguments, "data_args", {"max_length", "padding", "truncation"}))


def tuning_of(peft_config: Any) -> tuple[dict[str, Any], str | None]:
    """The tuning method that a PEFT configuration, or a dict in its words, describes."""
    values = dict(peft_config) if isinstance(peft_config, Mapping) else asdict(peft_config)
    kind, task = plain(values.pop("peft_type", "LORA")), plain(values.pop("task_type", None))
    cls = methods[METHODS.get(str(kind), str(kind).lower())]
    options = {
        name: sorted(value) if isinstance(value, set) else value
        for name, value in values.items()
        if name in cls.model_fields and name != "name" and value is not None
    }
    return {"name": cls.model_fields["name"].default, **options}, PEFT_TASKS.get(str(task))


METHODS = {
    "PREFIX_TUNING": "p_tuning_v2", "P_TUNING": "p_tuning", "LN_TUNING": "ln_tuning",
    "FOURIERFT": "fourier_ft",
}  # fmt: skip
"""PEFT's types whose method has another name here."""
PEFT_TASKS = {
    "CAUSAL_LM": "causal_lm",
    "SEQ_2_SEQ_LM": "seq2seq_lm",
    "SEQ_CLS": "sequence_classification",
    "TOKEN_CLS": "token_classification",
}


def plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
