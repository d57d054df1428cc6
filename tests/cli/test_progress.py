"""The progress bar."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pyg_nas.cli import progress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(progress, "ERRORS", console)
    return screen


def test_a_bar_shows_what_is_done_and_markup_as_it_is(terminal: io.StringIO) -> None:
    with progress.progress_bar("[/red] cells") as advance:
        advance(3)
        advance(5, 8, "best [/] \x1b[31m")
    shown = terminal.getvalue()
    assert "[/red] cells" in shown
    assert "5/8" in shown
    assert "best [/] \\x1b[31m" in shown
    assert "nan" not in shown


def test_nothing_is_printed_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress_bar("cells") as advance, progress.working("scoring"):
        advance(1, 2)
    assert capsys.readouterr() == ("", "")
