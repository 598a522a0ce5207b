"""Model folders are checked here before any library opens them; names are resolved here too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from maxaillm.dev.finetune.errors import ModelError

HUB_NAME = re.compile(r"[\w-][\w.-]{0,95}(/[\w-][\w.-]{0,95})?")
PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack"})
CODE_KEYS = frozenset(
    {
        "auto_map", "custom_pipelines", "custom_generate", "trust_remote_code", "use_kernels",
        "kernel_config", "_attn_implementation_internal", "_experts_implementation_internal",
    }
)  # fmt: skip
"""Keys by which a model asks for code of its own, or for a kernel fetched from elsewhere."""
IMPLEMENTATION = re.compile(r"_?(\w+_)?implementation")
"""Keys that choose between implementations of a part, such as attention: a repository of the Hub,
`owner/name` or `owner/name@revision:function`, is code that would be fetched and run."""
PLAIN_CHOICE = re.compile(r"[a-z0-9_]*")
REPEATED = re.compile(r"(layers?|experts|blocks|labels)$")
"""Settings by which parts are made one after the other, or names of classes."""
USUAL_COUNT, MOST_LABELS = 1_000, 1_000_000
"""So many are made in seconds, whatever the weights are."""
NOT_ITS_OWN = "The config.json is not that of these weights: download the model again."
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_HEADER_BYTES = 100 * 1024 * 1024


def is_path(name: str) -> bool:
    """Whether `name` is meant as a folder: it starts like one. Others are never looked up here."""
    return name.startswith(("/", "./", "../", "~/")) or name in {".", ".."}


def is_starter(name: str) -> bool:
    return name.startswith("starter/")


def is_hub_name(name: str) -> bool:
    return not is_path(name) and not is_starter(name) and bool(HUB_NAME.fullmatch(name))


def local_name(name: str, say: Callable[[str], object]) -> str:
    """`name`, as a path where there is a folder of that name in the working directory: it comes
    before a model of the Hub, which is said.

    For programs and commands, which say which model they mean; what is typed into a page is never
    looked up in the file system.
    """
    if not is_hub_name(name) or not Path(name).is_dir():
        return name
    say(f"{name} is a folder here, which comes before a model of the Hub; ./{name} says so.")
    return f"./{name}"


def find_folder(name: str) -> Path | None:
    """The folder of a path or a starter model; None for a name on the Hub.

    Raises ModelError where there is no such folder, or `name` is neither.
    """
    if "\0" in name or len(name) > 500:
        raise ModelError("The model's name is not a name.", HOW_TO_NAME)
    if is_path(name):
        folder: Path | None = Path(name).expanduser()
        if folder is None or not folder.is_dir():
            raise ModelError(f"There is no folder {name!r}.", HOW_TO_NAME)
        return folder
    if is_starter(name):
        from maxaillm.starter import resolve

        folder = resolve(name)
        if folder is None:
            raise ModelError(f"There is no starter model {name!r}.", HOW_TO_NAME)
        return folder
    if is_hub_name(name):
        return None
    raise ModelError(f"{name!r} is neither a folder nor a name on the Hub.", HOW_TO_NAME)


HOW_TO_NAME = (
    "Give a starter model (starter/chat), a folder that starts with / or ./, "
    "or a Hub name (owner/model)."
)


def check_folder(folder: Path) -> dict[str, Any]:
    """The `config.json` of a model folder that is safe to load. Raises ModelError."""
    check_files(folder)
    if not (folder / "config.json").is_file():
        raise no_model(folder)
    config = read_json(folder / "config.json")
    if not list(folder.glob("*.safetensors")):
        raise ModelError(
            f"{folder.name} has no weights in safetensors.",
            "Convert it: model.save_pretrained(folder) of transformers writes safetensors.",
        )
    check_index(folder)
    check_counts(folder, config)
    return config


def check_counts(folder: Path, config: dict[str, Any]) -> None:
    """Raises ModelError where more parts are asked for than there can be weights of: a library
    would make one after the other, for hours."""
    tensors = sum(len(read_header(path)) for path in folder.glob("*.safetensors"))
    for name, value in entries_in(config):
        if type(value) is not int or not REPEATED.search(name):
            continue
        if value > (MOST_LABELS if name.endswith("labels") else max(USUAL_COUNT, tensors)):
            raise ModelError(
                f"config.json says {value!r:.40} for {name}; the files hold {tensors:,} weights.",
                NOT_ITS_OWN,
            )


def no_model(folder: Path) -> ModelError:
    """What a folder without a `config.json` is instead."""
    if (folder / "adapter_config.json").is_file():
        return ModelError(f"{folder.name} is an adapter, no whole model.", HOW_TO_MERGE)
    inside = next((path.parent.name for path in sorted(folder.glob("*/*config.json"))), None)
    return ModelError(
        f"{folder.name} has no config.json, so it is no model folder.",
        f"There is a model in {folder.name}/{inside}."
        if inside
        else "A model folder holds config.json, the tokenizer and *.safetensors.",
    )


HOW_TO_MERGE = "Give its base, or merge it with that first: maxft export ADAPTER merged FOLDER."


def check_adapter(folder: Path) -> dict[str, Any]:
    """The `adapter_config.json` of an adapter folder that is safe to load. Raises ModelError."""
    check_files(folder)
    if not (folder / "adapter_model.safetensors").is_file():
        raise ModelError(
            f"{folder.name} has no adapter_model.safetensors.", "Save the adapter again."
        )
    return read_json(folder / "adapter_config.json")


def check_files(folder: Path) -> None:
    """Nothing in `folder` leads out of it, runs code or is a pickle."""
    for path in folder.iterdir():
        if path.is_symlink():
            check_link(folder, path)
        if path.suffix in PICKLES:
            raise ModelError(
                f"{path.name} may hold a pickle, which can run code.",
                "Delete it where the folder has the weights in safetensors too; else convert it.",
            )
        if path.suffix == ".safetensors":
            read_header(path)
        if path.suffix == ".json" and path.name != "tokenizer.json":
            asked = code_asked_by(read_json(path))
            if asked:
                raise ModelError(
                    f"{path.name} asks for code of its own ({', '.join(sorted(asked))}).",
                    "Such models are not supported: choose one that transformers knows.",
                )


def code_asked_by(content: dict[str, Any]) -> set[str]:
    """The keys by which a JSON file of a model asks for code."""
    asked = set()
    for key, value in entries_in(content):
        if key in CODE_KEYS and value not in (None, False):
            asked.add(key)
        if IMPLEMENTATION.fullmatch(key) and not all(map(is_plain_choice, texts_in(value))):
            asked.add(key)
    return asked


def is_plain_choice(text: str) -> bool:
    return PLAIN_CHOICE.fullmatch(text) is not None


def check_link(folder: Path, path: Path) -> None:
    """A link may lead into the folder, or to the blobs of its own Hub cache entry."""
    target, roots = path.resolve(), [folder.resolve()]
    if folder.parent.name == "snapshots":
        roots.append(folder.parent.parent.resolve() / "blobs")
    if not any(target.is_relative_to(root) for root in roots):
        raise ModelError(
            f"{path.name} is a link that leads out of {folder.name}.", "Copy the file itself."
        )


def check_index(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return
    shards = read_json(index).get("weight_map")
    names = set(shards.values()) if isinstance(shards, dict) else {None}
    for name in names:
        is_sibling = isinstance(name, str) and name == Path(name).name and name not in {".", ".."}
        if not is_sibling or Path(str(name)).suffix != ".safetensors":
            raise ModelError(
                f"{index.name} names {name!r}, which is no file beside it.",
                "Download the model again from a source that you trust.",
            )
        if not (folder / str(name)).is_file():
            raise ModelError(f"{name} is missing.", "Download the model again.")


def read_header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file: tensor name -> dtype, shape, offsets."""
    return read_header_at(path)[0]


def read_header_at(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file, and the byte that its offsets count from."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        content = file.read(length) if 2 <= length <= MAX_HEADER_BYTES else b""
    try:
        header = json.loads(content)
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise ModelError(f"{path.name} is no safetensors file.", "Download the model again.")
    header.pop("__metadata__", None)
    return header, 8 + length


def read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ModelError(f"{path.name} is too large.", "Is this a model folder?")
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(
            f"{path.parent.name} has no {path.name}.",
            "A model folder holds config.json, the tokenizer and *.safetensors.",
        ) from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path.name} is not valid JSON.", "Download the model again.") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path.name} is not a JSON object.", "Download the model again.")
    return content


def entries_in(value: object) -> Iterator[tuple[str, Any]]:
    """Every key of nested objects with its value, found without recursion: the nesting may be
    deep."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield from item.items()
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def texts_in(value: object) -> Iterator[str]:
    """A text, or those that an object or a list of them holds."""
    if isinstance(value, str):
        yield value
    for _, inner in entries_in({"": value}):
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, list):
            yield from (item for item in inner if isinstance(item, str))
