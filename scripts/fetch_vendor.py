"""Fetch the libraries of static/vendor/ by npm package, version and checksum.

    python scripts/fetch_vendor.py             # fetch all, verify, write
    python scripts/fetch_vendor.py --check     # only compare what lies there

Needs npm; nobody but a maintainer who raises a version runs it. After raising Plotly's, run
`python scripts/plotly_css.py` too.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
FILE = "maxft:file:"
SOURCE_MAP = re.compile(rb"\n?/[/*]# sourceMappingURL=\S+( \*/)?\s*$")


class Package(NamedTuple):
    """A component of static/vendor/sbom.cdx.json, the CycloneDX bill that travels in the wheel."""

    name: str
    version: str
    sha256: str
    """Of the archive that the registry serves."""
    files: dict[str, str]
    """Path in the archive → name in static/vendor/."""


def packages() -> Iterator[Package]:
    for part in json.loads((VENDOR / "sbom.cdx.json").read_text())["components"]:
        files = {line["name"].removeprefix(FILE): line["value"] for line in part["properties"]}
        yield Package(part["name"], part["version"], part["hashes"][0]["content"], files)


def fetch(package: Package, folder: Path) -> dict[str, bytes]:
    """The wanted files of a package, by their names in static/vendor/."""
    command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (archive,) = folder.glob(f"{package.name}-*.tgz")
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != package.sha256:
        sys.exit(f"{package.name}@{package.version} has the checksum {found}. Nothing was written.")
    with tarfile.open(archive) as content:
        files = {path: content.extractfile(f"package/{path}") for path in package.files}
        # A map that is not shipped is only a 404 in the console.
        return {
            package.files[path]: SOURCE_MAP.sub(b"\n", file.read())
            for path, file in files.items()
            if file is not None
        }


def main() -> None:
    check_only = "--check" in sys.argv[1:]
    for package in packages():
        with tempfile.TemporaryDirectory() as folder:
            files = fetch(package, Path(folder))
        for name, content in files.items():
            path = VENDOR / name
            if not check_only:
                path.write_bytes(content)
            elif path.read_bytes() != content:
                sys.exit(f"static/vendor/{name} is not {package.name}@{package.version}.")


if __name__ == "__main__":
    main()
