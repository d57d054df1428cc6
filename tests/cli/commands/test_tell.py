"""``pyg-nas tell`` of runs that have not ended, as shell scripts use it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.command import pyg_nas


@pytest.mark.parametrize(("clock", "saved"), [(True, "2.0 min"), (False, "not known")])
def test_a_script_stops_hopeless_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: bool, saved: str
) -> None:
    """Nine runs take 80 s each, three are stopped after 40 s: 2 of 16 minutes are saved."""
    folder = tmp_path / "run"
    assert pyg_nas("ask", folder, "--n", 12, "--method", "random") == 0
    capsys.readouterr()
    for number in range(12):
        hopeless = number >= 9
        final = 0.3 if hopeless else 0.8 + 0.01 * number
        spent = ("--seconds", 40) if clock else ()
        assert pyg_nas("tell", folder, number, "--epochs", 4, "--accuracy", final / 2, *spent) == 0
        assert capsys.readouterr().out == ("stop\n" if hopeless else "go on\n")
        if not hopeless:
            whole = ("--seconds", 80) if clock else ()
            assert pyg_nas("tell", folder, number, "--accuracy", final, *whole) == 0
            capsys.readouterr()
    assert pyg_nas("report", folder, "--out", tmp_path / "run.html") == 0
    text = re.sub(r"<[^>]*>|\s+", " ", (tmp_path / "run.html").read_text(encoding="utf-8"))
    text = " ".join(text.split())
    assert "stopped early 3 cells" in text
    assert f"training time saved {saved}" in text
    note = "12 % of 16.0 min" if clock else "the seconds of some run were not recorded"
    assert note in text
