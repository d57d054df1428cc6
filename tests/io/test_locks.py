"""Locks: one holder at a time, and no other error of the work is renamed."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from pyg_nas.errors import SettingsError
from pyg_nas.io.locks import locked


def test_a_second_holder_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    first, second = (FileLock(tmp_path / "lock", timeout=0) for _ in range(2))
    with locked(first, "not raised"):
        with pytest.raises(SettingsError, match=r"^in use$"), locked(second, "in use"):
            pass
        assert not second.is_locked
    with locked(second, "not raised"):
        assert second.is_locked
    assert not second.is_locked


def test_a_disk_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", without_locks)
    refusal = r"lock: cannot be locked \(No locks available\); use"
    lock = FileLock(tmp_path / "lock")
    with pytest.raises(SettingsError, match=refusal), locked(lock, "in use"):
        pass


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    lock = FileLock(tmp_path / "lock", timeout=0)
    with pytest.raises(OSError, match=r"lock'$"), locked(lock, "in use"):
        pass


def test_a_timeout_of_the_work_itself_is_passed_on(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock", timeout=0)
    with pytest.raises(Timeout, match="other"), locked(lock, "in use"):
        raise Timeout(str(tmp_path / "other"))
    assert not lock.is_locked
