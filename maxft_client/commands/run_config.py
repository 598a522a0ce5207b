"""A run's configuration in a file, as the page New run shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from maxft_client.errors import ConfigurationError


def read_config(file: Path, overrides: tuple[str, ...]) -> dict[str, Any]:
    """A run's configuration with what is given besides. Raises ConfigurationError."""
    import yaml

    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is no YAML: {error}", "Correct it.") from None
    if not isinstance(config, dict):
        raise ConfigurationError(f"{file} holds no options.", "Such as model: {name: …}.")
    set_options(config, overrides)
    return config


def set_options(config: dict[str, Any], overrides: tuple[str, ...]) -> None:
    """Write `section.option=value` into a configuration. Raises ConfigurationError."""
    import yaml

    for override in overrides:
        path, equals, value = override.partition("=")
        *sections, option = path.split(".")
        if not equals or not option:
            raise ConfigurationError(f"{override!r} sets nothing.", "Write section.option=value.")
        place = config
        for name in sections:
            place = section(place, name)
        place[option] = yaml.safe_load(value)


def section(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.setdefault(name, {})
    if not isinstance(found, dict):
        raise ConfigurationError(f"{name} is no section in the file.", f"Write {name}: {{…}}.")
    return found
