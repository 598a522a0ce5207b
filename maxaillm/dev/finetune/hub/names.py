"""Datasets of the Hugging Face Hub as people name them: `owner/name`, or a link that is pasted."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.model_files.folder import is_hub_name

HUB = "https://huggingface.co"
HOSTS = {"huggingface.co", "www.huggingface.co", "hf.co"}
AT_REVISION = {"tree", "blob", "resolve", "raw"}
"""Parts of a link after which the revision comes."""
REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}")
HOW_TO_NAME = "Write owner/name, as it stands above the dataset's page on the Hub."


class HubSource(NamedTuple):
    """A dataset repository, and the branch, tag or commit; "" is its main branch."""

    name: str
    revision: str = ""


def hub_address() -> str:
    """Where people find the Hub: the address that its library is told, without a password."""
    return re.sub(r"//[^/]*@", "//", os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def hub_source(text: str, revision: str = "") -> HubSource:
    """What a person means; a `revision` given apart counts more than that of a link.

    Raises DataError where that can't be a dataset of the Hub.
    """
    name, of_link = parts_of_link(text.strip()) if is_link(text) else (text.strip(), "")
    source = HubSource(name.removeprefix("datasets/"), revision.strip() or of_link)
    if not is_hub_name(source.name) or {"..", "--"} & set(re.findall(r"\.\.|--", source.name)):
        raise DataError(
            f"{text.strip()!r:.120} is not the name of a dataset on the Hub.",
            HOW_TO_NAME,
            code="hub_name",
        )
    if source.revision and not is_revision(source.revision):
        raise DataError(
            f"{source.revision!r:.120} can't be a revision.",
            "Write a branch, a tag or a commit, or leave it empty for the newest state.",
            code="hub_revision",
        )
    return source


def is_revision(text: str) -> bool:
    return bool(REVISION.fullmatch(text)) and not re.search(r"\.\.|//|/$|\.lock$", text)


def is_link(text: str) -> bool:
    return "://" in text or text.strip().split("/")[0] in HOSTS


def parts_of_link(link: str) -> tuple[str, str]:
    """Name and revision of the page of a dataset. Nothing is ever opened at the link itself."""
    host, _, page = re.sub(r"^https?://", "", re.split(r"[?#]", link)[0]).partition("/")
    hosts = HOSTS | {urlsplit(hub_address()).netloc}
    kind, *path = page.strip("/").split("/")
    if host not in hosts or kind != "datasets":
        raise DataError(
            f"{link!r:.120} is not the page of a dataset on the Hub.", HOW_TO_NAME, code="hub_name"
        )
    length = 1 if len(path) > 1 and path[1] in AT_REVISION | {"viewer"} else 2
    rest = path[length:]
    revision = unquote(rest[1]) if len(rest) > 1 and rest[0] in AT_REVISION else ""
    return "/".join(path[:length]), revision
