"""Locks: one holder at a time, and no other error of the work is renamed."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from pyg_nas.errors import SettingsError
from pyg_nas.io import locks
from pyg_nas.io.locks import SignedLock


def test_a_second_holder_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    first, second = (SignedLock(tmp_path / "lock", "in use") for _ in range(2))
    with first.held():
        with pytest.raises(SettingsError, match=r"^in use \("), second.held():
            pass
        assert not second.is_locked
    with second.held():
        assert second.is_locked
        assert sorted(second.files) == sorted(tmp_path.iterdir())
    assert not second.is_locked


def test_a_disk_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", without_locks)
    refusal = r"lock: cannot be locked \(No locks available\); use"
    with (
        pytest.raises(SettingsError, match=refusal),
        SignedLock(tmp_path / "lock", "in use").held(),
    ):
        pass


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(OSError, match=r"lock'$"), SignedLock(tmp_path / "lock", "in use").held():
        pass


def test_a_timeout_of_the_work_itself_is_passed_on(tmp_path: Path) -> None:
    lock = SignedLock(tmp_path / "lock", "in use")
    with pytest.raises(Timeout, match="other"), lock.held():
        raise Timeout(str(tmp_path / "other"))
    assert not lock.is_locked


def test_who_has_a_lock_is_named(tmp_path: Path) -> None:
    first, second = (SignedLock(tmp_path / "lock", "a folder: in use") for _ in range(2))
    holder = (
        rf"process {os.getpid()} on {socket.gethostname()} since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
    )
    with first.held(), first.held():
        assert first.is_locked
        with pytest.raises(SettingsError, match=rf"^a folder: in use \({holder}\)$"), second.held():
            pass
    with second.held():
        assert not first.is_locked
    (tmp_path / "lock.holder").write_text("{")
    with (
        FileLock(tmp_path / "lock"),  # of another program
        pytest.raises(SettingsError, match=r"in use \(its name is not known\)$"),
        second.held(),
    ):
        pass


def test_a_long_wait_is_announced_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "_SILENT_SECONDS", 0.1)
    first, second = (SignedLock(tmp_path / "lock", "in use", patience=0.3) for _ in range(2))
    with (
        caplog.at_level(logging.WARNING),
        first.held(),
        pytest.raises(SettingsError, match=r"waited 0 s$"),
        second.held(),
    ):
        pass
    (record,) = caplog.records
    assert record.message.startswith(f"in use (process {os.getpid()} on ")
    assert record.message.endswith("; waiting for it")


HOLD = """
import sys
from pathlib import Path
from pyg_nas.io.locks import SignedLock

Path("/proc/self/comm").write_bytes(b"\\xff) R")
with SignedLock(Path(sys.argv[1]), "in use").held():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="states are read from /proc")
def test_a_stopped_process_is_called_so(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGSTOP)
        try:
            os.waitpid(process.pid, os.WUNTRACED)
            waiting = SignedLock(tmp_path / "lock", "in use")
            message = rf"process {process.pid} on .*, stopped: kill -CONT resumes it\)$"
            with pytest.raises(SettingsError, match=message), waiting.held():
                pass
        finally:
            os.kill(process.pid, signal.SIGKILL)
