"""The journal of a profile: durable, one process at a time, refused with other settings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.measure.profiles.journal import Profile, ProfileJournal

ABOUT = {"device": "cpu", "repeats": 3}
PROFILE = Profile(0.25, 0.01, 1.02, None)


def journal_of(path: Path) -> None:
    with ProfileJournal(path, ABOUT) as journal:
        assert journal.reference is None
        journal.add({"reference": 0.5})
        journal.add({"name": "a", "hash": "b", **asdict(PROFILE)})


def test_records_are_read_again_and_a_torn_line_is_not(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal_of(path)
    with path.open("ab") as file:
        file.write(b'{"name": "c", "ha')
    with ProfileJournal(path, ABOUT) as journal:
        assert journal.reference == 0.5
        assert journal.find("a", "b") == PROFILE
        assert journal.find("a", "other graph") is None
        with (
            pytest.raises(SettingsError, match="another process"),
            ProfileJournal(path, ABOUT),
        ):
            pass


def test_other_settings_and_damaged_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal_of(path)
    other = ProfileJournal(path, {**ABOUT, "repeats": 4})
    with pytest.raises(SettingsError, match="repeats = 3, 4 was requested"), other:
        pass
    whole = path.read_bytes()
    for line, message in [
        (b'{"reference": 0}\n', "above 0"),
        (b'{"name": "a", "hash": "b", "latency": -1}\n', "line 4: a profile needs"),
        (whole.splitlines()[2].replace(b"0.25", b"-0.25") + b"\n", "latency -0.25 must be"),
        (b"[]\n", "not a record"),
        (b"nonsense\n", "line 4: not JSON"),
        (b"\x89foreign", "not a file of records"),
    ]:
        path.write_bytes(whole + line)
        with pytest.raises(SettingsError, match=message), ProfileJournal(path, ABOUT):
            pass
        assert path.read_bytes() == whole + line


def test_a_begin_without_an_end_is_a_death(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with ProfileJournal(path, ABOUT) as journal:
        with journal.measuring("left", "h"):
            pass
        with pytest.raises(KeyboardInterrupt), journal.measuring("stopped", "h"):
            raise KeyboardInterrupt
        journal.add({"begin": "killed", "hash": "h"})
        assert journal.deaths("killed", "h") == 0  # this process is alive
    with ProfileJournal(path, ABOUT) as journal:
        names = ("left", "stopped", "killed")
        assert [journal.deaths(name, "h") for name in names] == [0, 0, 1]
        assert journal.deaths("killed", "another graph") == 0
        journal.add({"end": "killed", "hash": "h"})
        journal.add({"end": "killed", "hash": "h"})
        journal.add({"begin": "killed", "hash": "h"})
    with ProfileJournal(path, ABOUT) as journal:
        assert journal.deaths("killed", "h") == 1


def test_noise_is_the_larger_one() -> None:
    assert Profile(1.0, 0.3, 1.2, None).noise == 0.3
    assert Profile(1.0, 0.1, 0.5, None).noise == 0.5
