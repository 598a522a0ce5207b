"""Things of a site by number or by name."""

from __future__ import annotations

from typing import Any

from maxft_client.errors import NotThereError
from maxft_client.site.connection import Site

MOST = 5_000
"""Things that are searched for a name."""


def find(site: Site, kind: str, reference: str) -> dict[str, Any]:
    """A dataset, run or model by its number, else the newest that has the name. `kind` is the
    plural in the API. Raises NotThereError."""
    if reference.isascii() and reference.isdigit():
        found: dict[str, Any] = site.get(f"/{kind}/{reference}")
        return found
    for item in site.items(f"/{kind}", MOST)["items"]:
        if item["name"] == reference:
            return dict(item)
    raise NotThereError(
        f"There is no {kind.removesuffix('s')} named {reference!r} on {site.url}.",
        f"maxft {kind} list shows yours.",
    )
