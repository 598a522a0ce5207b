"""A file lock keeps others out, and what the file holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import Timeout

from maxaillm.dev.finetune.processes.file_lock import file_lock


def is_held(path: Path) -> bool:
    try:
        with file_lock(path).acquire(blocking=False):
            return False
    except Timeout:
        return True


def test_a_holder_that_looks_for_itself_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with file_lock(path):
        assert is_held(path)
        assert is_held(path)
    assert not is_held(path)


def test_what_the_file_holds_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("4711")
    with file_lock(path):
        assert path.read_text() == "4711"
    assert path.read_text() == "4711"


def test_a_file_system_without_locks_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import fcntl

    def missing(_file: int, _how: int) -> None:
        raise OSError(errno.ENOSYS, "flock is missing")

    monkeypatch.setattr(fcntl, "flock", missing)
    with pytest.raises(OSError, match="flock is missing"):
        file_lock(tmp_path / "lock").acquire(blocking=False)
