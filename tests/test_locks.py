"""The lock files hold what pyproject.toml asks for; where not, `scripts/lock` renews them."""

from __future__ import annotations

import re
import tomllib
from itertools import chain

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.site_process import ROOT

LOCKED = re.compile(r"^([\w.-]+)==([\w.]+)", re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = {
    "requirements.lock": PROJECT["dependencies"] + EXTRAS["postgres"],
    "requirements-quantization.lock": EXTRAS["quantization"],
    "requirements-dev.lock": EXTRAS["dev"],
}


def versions(name: str) -> dict[str, str]:
    return dict(LOCKED.findall((ROOT / name).read_text()))


def test_every_dependency_is_locked():
    tested = versions("constraints.txt")
    for requirement in map(Requirement, chain(*ASKED.values())):
        version = tested[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is {version}"


def test_lock_files_hold_the_tested_versions_with_checksums():
    tested = versions("constraints.txt")
    run_with = versions("requirements.lock")
    for name, asked in ASKED.items():
        locked = versions(name)
        assert locked.items() <= tested.items()
        assert (ROOT / name).read_text().count("--hash=sha256:") >= len(locked)
        names = {canonicalize_name(Requirement(line).name) for line in asked} - {"torch"}
        assert names <= locked.keys() | run_with.keys()
    assert tested["torch"] and "torch" not in run_with
