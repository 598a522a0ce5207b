"""Configuration files: a RunConfig from YAML or JSON, and `section.option=value` overrides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError, Problem

MAX_BYTES = 64 * 1024
MAX_DEPTH = 10
SECTIONS = ("model", "training", "tuning", "evaluation")
"""Of a configuration, objects that no data file has by the same names."""


class PlainLoader(yaml.SafeLoader):
    """YAML without tags of other languages and without aliases, which can explode."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def read_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Raises ConfigError with every mistake of file and overrides at once."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise wrong("", f"{path} can't be read: {error.strerror}.") from None
    if len(content) > MAX_BYTES:
        raise wrong("", f"{path.name} is larger than {MAX_BYTES // 1024} KB.")
    data = parse_yaml(content, path.name)
    if not isinstance(data, dict) or depth(data) > MAX_DEPTH:
        raise wrong("", f"{path.name} holds no configuration.", "sections with options")
    for override in overrides:
        apply_override(data, override)
    return RunConfig.parse(data)


def holds_config(path: Path) -> bool:
    """Whether a file is meant as a configuration: by its name, or as JSON with our sections. What
    is not there is, too: then that is said."""
    if path.suffix.lower() in {".yaml", ".yml"} or not path.is_file():
        return True
    if path.suffix.lower() != ".json" or path.stat().st_size > MAX_BYTES:
        return False
    try:
        data = parse_yaml(path.read_bytes(), path.name)
    except ConfigError:
        return False
    return isinstance(data, dict) and any(isinstance(data.get(name), dict) for name in SECTIONS)


def parse_yaml(content: bytes | str, name: str) -> Any:
    """JSON is YAML too."""
    try:
        return yaml.load(content, Loader=PlainLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise wrong("", f"{name} is no valid YAML: {' '.join(str(error).split())}") from None


def apply_override(data: dict[str, Any], override: str) -> None:
    """Put `section.option=value` into `data`; the value is read as YAML."""
    path, equals, value = override.partition("=")
    *sections, option = path.split(".")
    if not equals or not all((*sections, option)):
        raise wrong(override, "This is no section.option=value.")
    place = data
    for section in sections:
        inner = place.setdefault(section, {})
        if not isinstance(inner, dict):
            raise wrong(path, f"{section} is not a section.")
        place = inner
    place[option] = parse_yaml(value, path) if value else None


def depth(value: object) -> int:
    """How deep containers are nested; stops counting past the limit."""
    level, layer = 0, [value]
    while layer and level <= MAX_DEPTH:
        level += 1
        parts = [list(v.values()) if isinstance(v, dict) else v for v in layer]
        layer = [item for part in parts if isinstance(part, list) for item in part]
    return level


def wrong(path: str, message: str, allowed: str = "") -> ConfigError:
    return ConfigError([Problem(path or "configuration", message, None, allowed)])
