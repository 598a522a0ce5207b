"""A run as text: YAML to paste, a command to type, a program to run, a request to send."""

from __future__ import annotations

import json
import shlex
from pprint import pformat
from typing import Any

import yaml
from pydantic import BaseModel

from maxaillm.dev.finetune.components.registry import Component
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.files import MAX_BYTES, MAX_DEPTH, depth, parse_yaml, wrong

IMPORT = "from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning"
PRINTED = "print(tuner.verdict.title)"
ENGINE = "python -m maxaillm.dev.finetune train"


def config_from_yaml(text: str) -> RunConfig:
    """What was pasted. Raises ConfigError with every mistake; no tags, no aliases, 64 KB."""
    if len(text.encode()) > MAX_BYTES:
        raise wrong("", f"The text is larger than {MAX_BYTES // 1024} KB.")
    data = parse_yaml(text, "The text")
    if not isinstance(data, dict) or depth(data) > MAX_DEPTH:
        raise wrong("", "The text holds no configuration.", "sections with options")
    return RunConfig.parse(data)


def told(config: RunConfig) -> dict[str, Any]:
    """The options that say something: what is as the default is left out, names of choices kept."""
    data = config.model_dump(mode="json", exclude_defaults=True)
    data.setdefault("tuning", {})
    name_components(config, data)
    return {name: value for name, value in data.items() if value not in ({}, "")}


def name_components(section: BaseModel, data: dict[str, Any]) -> None:
    """Write down which component each one is that `data` tells of: its name is as the default."""
    for name, value in section:
        if name in data and isinstance(value, BaseModel):
            if isinstance(value, Component):
                data[name] = {"name": value.name, **data[name]}
            name_components(value, data[name])


def as_yaml(config: RunConfig) -> str:
    return yaml.safe_dump(told(config), sort_keys=False, allow_unicode=True)


def of_a_file(config: RunConfig) -> dict[str, Any]:
    """What the engine is told elsewhere: there is a file in the place of the dataset."""
    data = told(config)
    chosen = {"train_file": "rows.jsonl"}
    data["data"] = chosen | {
        name: value
        for name, value in data.get("data", {}).items()
        if name not in {"dataset", "version"}
    }
    return data


def as_command(config: RunConfig) -> str:
    """Typed in a shell: the file is written, then the engine trains it."""
    text = yaml.safe_dump(of_a_file(config), sort_keys=False, allow_unicode=True)
    return f"printf %s {shlex.quote(text)} > run.yaml\n{ENGINE} run.yaml"


def as_python(config: RunConfig) -> str:
    """A program that trains the same with the library."""
    written = pformat(of_a_file(config), indent=4, sort_dicts=False, width=88)
    return f"{IMPORT}\n\ntuner = MaxHuggingFaceFineTuning({written})\ntuner.run()\n{PRINTED}"


def as_request(config: RunConfig, address: str) -> str:
    body = json.dumps(told(config), indent=2, ensure_ascii=False)
    return (
        f"curl {address} \\\n"
        '  -H "Authorization: Bearer $MAXFT_TOKEN" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}"
    )
