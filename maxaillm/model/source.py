"""Where a model's files lie: its own, and those of the very base that an adapter was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from peft import PeftModel

from maxaillm.dev.finetune.errors import ModelError, OtherBaseError
from maxaillm.dev.finetune.hf import loading
from maxaillm.dev.finetune.hf.loading.memory import lacks_memory
from maxaillm.dev.finetune.methods import method_of_adapter
from maxaillm.dev.finetune.model_files.card import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    TaskCard,
    read_card,
)
from maxaillm.dev.finetune.model_files.card import FILE as CARD
from maxaillm.dev.finetune.model_files.folder import (
    check_adapter,
    check_folder,
    find_folder,
    is_hub_name,
    is_path,
    is_starter,
    local_name,
    read_header,
    read_json,
)
from maxaillm.dev.finetune.model_files.identity import digest_of
from maxaillm.dev.finetune.run.events import RunFolder

HOW_TO_PASS = "Pass the model that it was trained on: base=..., or --base."


class Source(NamedTuple):
    """Where a model's weights lie, and what it is for."""

    base: Path
    adapter: Path | None
    card: TaskCard


def find_source(
    model_name: str | Path, base: str | Path | None = None, *, any_base: bool = False
) -> Source:
    """The checked folders of a model, and its card.

    Raises ModelError; OtherBaseError where the base is not the one that an adapter was trained on,
    unless `any_base` lets it pass with a warning.
    """
    name = as_name(model_name)
    folder = find_folder(name) or loading.download(name)
    if (folder / ADAPTER_CONFIG).is_file():
        base_folder = find_base(folder, base)
        require_base(folder, base_folder, any_base=any_base)
        return Source(base_folder, folder, read_card(folder, base_folder))
    check_folder(folder)
    return Source(folder, None, read_card(folder))


def as_name(model_name: str | Path) -> str:
    """A Path is a folder even where it does not look like one."""
    if isinstance(model_name, Path):
        return str(model_name.resolve())
    return local_name(model_name, warnings.warn)


def find_base(adapter: Path, base: str | Path | None = None) -> Path:
    """The checked folder of an adapter's base: as told, else where it was, else where it went.

    Raises ModelError where it is nowhere to be found.
    """
    if base:
        return loading.fetch(as_name(base))
    names = list(dict.fromkeys(named_bases(adapter)))
    if not names:
        raise ModelError(f"{adapter.name} does not say its base.", HOW_TO_PASS)
    digest = written_digest(adapter)
    there = [Path(name).expanduser() for name in names if is_path(name)]
    there = [folder for folder in there if (folder / "config.json").is_file()]
    for folder in [*there, *(moved(adapter, names) if digest else ())]:
        if digest in {None, digest_of(folder)}:
            return loading.fetch(str(folder.resolve()))
    others = [name for name in names if not is_path(name)]
    if others:
        return loading.fetch(others[0])
    if there:
        return loading.fetch(str(there[0].resolve()))
    raise ModelError(f"The base of {adapter.name} is gone: there is no {names[0]}.", HOW_TO_PASS)


def named_bases(adapter: Path) -> Iterator[str]:
    """What an adapter was trained on, by its run's configuration, by PEFT's and by its card."""
    run = RunFolder(adapter.resolve().parent).config
    named = [read_json(run).get("model", {}).get("name")] if run.is_file() else []
    named.append(check_adapter(adapter).get("base_model_name_or_path"))
    named.append(read_card(adapter).base if (adapter / CARD).is_file() else None)
    for name in named:
        if isinstance(name, str) and (is_path(name) or is_hub_name(name) or is_starter(name)):
            yield name


def moved(adapter: Path, names: Sequence[str]) -> Iterator[Path]:
    """Folders with a base's name beside the adapter, above it, or where this process works."""
    home = adapter.resolve()
    for name in filter(is_path, names):
        for place in (home.parent, *home.parents[1:3], Path.cwd()):
            folder = place / Path(name).name
            if (folder / "config.json").is_file():
                yield folder


def written_digest(adapter: Path) -> str | None:
    """The digest of the base that an adapter was trained on; None where it does not say."""
    return read_card(adapter).base_digest if (adapter / CARD).is_file() else None


def require_base(adapter: Path, base: Path, *, any_base: bool = False) -> None:
    """Raises OtherBaseError where an adapter was trained on another model than the one in `base`:
    what it adds would mean nothing there."""
    digest = written_digest(adapter)
    if digest is None or digest == digest_of(base):
        return
    message = f"This adapter was trained on another model than the one in {base.name}."
    if not any_base:
        hint = f"{HOW_TO_PASS} To lay it on this one all the same: any_base=True, or --any-base."
        raise OtherBaseError(message, hint)
    warnings.warn(f"{message} Its answers may mean nothing.", stacklevel=3)


def laid(model: Any, adapter: Path, name: str = "default") -> PeftModel:
    """`model` with an adapter on it, beside others of its kind. Raises ModelError where it does
    not fit."""
    try:
        if isinstance(model, PeftModel):
            model.load_adapter(str(adapter), adapter_name=name)
            return model
        method = method_of_adapter(check_adapter(adapter).get("peft_type"))
        if method:
            method.make_room(model)
        return PeftModel.from_pretrained(model, str(adapter), adapter_name=name)
    except (RuntimeError, ValueError, KeyError, IndexError) as error:
        if lacks_memory(error):
            raise
        reason = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise OtherBaseError(
            f"This adapter does not fit its base: {(reason[1:] or reason or ['?'])[0]}",
            HOW_TO_PASS,
        ) from error


def require_weights(source: Source, fresh: Sequence[str]) -> None:
    """Raises ModelError where weights, a classifier's head above all, would be random numbers."""
    if not fresh:
        return
    held: set[str] = set()
    if source.adapter:
        held = {plain(name) for name in read_header(source.adapter / ADAPTER_WEIGHTS)}
    missing = [name for name in fresh if name not in held]
    if missing:
        folder = source.adapter or source.base
        raise ModelError(
            f"{folder.name} lacks weights: {missing[0]}"
            + (f" and {len(missing) - 1} more." if len(missing) > 1 else "."),
            "The folder is incomplete, or its base is another one.",
        )


def plain(name: str) -> str:
    """An adapter's name of a whole weight as its base calls it."""
    return name.removeprefix("base_model.").removeprefix("model.")
