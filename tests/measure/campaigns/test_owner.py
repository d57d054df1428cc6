"""Processes that hold claims, living and gone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from pyg_nas.measure.campaigns.owner import Owner


def test_owners_that_have_ended_are_distinguished_from_those_that_live():
    here = Owner.current()
    assert not here.has_gone()
    # The same process id at another start is another process.
    assert replace(here, started=here.started + 1).has_gone() or here.started == 0
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert replace(here, pid=ended.pid).has_gone()
    # Of a process on another machine it is not known whether it runs.
    assert not replace(here, pid=ended.pid, host="elsewhere").has_gone()


def test_owners_in_another_container_of_the_same_name_are_not_judged(monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    monkeypatch.setattr(Path, "readlink", lambda path: Path("pid:[1]"))
    there = replace(Owner.current(), pid=ended.pid)
    assert there.has_gone()
    monkeypatch.setattr(Path, "readlink", lambda path: Path("pid:[2]"))
    assert not there.has_gone()
