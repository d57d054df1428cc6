"""The sign of a silent command, on a terminal of the test's own."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from rich.console import Console

from pyg_nas.cli import silence
from pyg_nas.cli.silence import Silence

SIGN = "working"


def shown(terminal: bool, monkeypatch: pytest.MonkeyPatch, blocks: bool) -> str:
    """What stands on a terminal after half a second, with or without a block of its own output."""
    monkeypatch.setattr(silence, "_SECONDS", 0.05)
    stream = StringIO()
    console = Console(file=stream, force_terminal=terminal, width=80)
    watched = Silence(console)
    with watched.watched():
        if blocks:
            with watched.broken():
                console.print("first")
                time.sleep(0.5)
        else:
            for _ in range(200):
                if SIGN in stream.getvalue() or not terminal:
                    break
                time.sleep(0.05)
            with watched.broken():
                console.print("first")
    text = stream.getvalue()
    time.sleep(0.2)
    assert stream.getvalue() == text  # nothing after the end
    return text


def test_a_silent_command_shows_a_sign_until_its_next_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = shown(True, monkeypatch, blocks=False)
    assert text.index(SIGN) < text.index("first")
    assert SIGN not in text[text.index("first") :]
    assert "\x1b[2K" in text[: text.index("first")]  # its line was erased


@pytest.mark.parametrize(("terminal", "blocks"), [(True, True), (False, False)])
def test_no_sign_beside_other_output_nor_in_a_file(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, blocks: bool
) -> None:
    assert SIGN not in shown(terminal, monkeypatch, blocks)
