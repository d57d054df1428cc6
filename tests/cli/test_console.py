"""Text from any source is printed literally."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.cli.console import bold, fail, prepare_streams, print_line, print_note, print_table
from pyg_nas.data.tables.table import Table

from .processes import run_commands

HOSTILE = ("[/red]", "[/]", "[bold]x", "\x1b[31mred\x1b[0m", "\u202eevil", os.fsdecode(b"caf\xe9"))
SHOWN = ("[/red]", "[/]", "[bold]x", "\\x1b[31mred\\x1b[0m", "\\u202eevil", "caf\\udce9")


@pytest.mark.parametrize(("text", "shown"), list(zip(HOSTILE, SHOWN, strict=True)))
def test_text_is_printed_literally(
    text: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_line(text, " and ", bold(text))
    print_note(text)
    print_table(text, (text, "hash"), [(text, "1")])
    with pytest.raises(SystemExit) as stop:
        fail(f"{text}\n twice")
    out, err = capsys.readouterr()
    assert out.startswith(f"{shown} and {shown}\n")
    assert out.count(shown) == 5
    assert err == f"{shown}\nerror: {shown.rstrip()} twice\n"
    assert stop.value.code == 2
    assert "\x1b" not in out + err


@pytest.fixture
def usual_warnings() -> Iterator[None]:
    shown = warnings.showwarning
    yield
    warnings.showwarning = shown


@pytest.mark.usefixtures("usual_warnings")
def test_an_error_has_a_longest_length(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fail("x" * 1_000_000)
    assert len(capsys.readouterr().err) < 5_100


def test_each_further_line_of_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fail("two", more=["a\n b", "\x1b[31mc"])
    assert capsys.readouterr().err == "error: two\n  a b\n  \\x1b[31mc\n"


def test_warnings_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    prepare_streams()
    warnings.showwarning(UserWarning("a\n\x1b[31mb"), UserWarning, "file.py", 1)
    assert capsys.readouterr().err == "warning: a \\x1b[31mb\n"


def test_hostile_names_through_the_commands(small_table: Table, tmp_path: Path) -> None:
    """In a process that has an ASCII terminal and locale."""
    names = [name.replace("/", "") for name in HOSTILE]
    paths = [tmp_path / f"{name}.hdf5" for name in names]
    for path in paths:
        small_table.subset(np.arange(3)).save(path)
    wrong = [
        ("train", paths[0], "--out", "m", "--split", names[0]),
        ("train", paths[1], "--out", "m", "--recipe", names[1]),
        ("table", "info", f"none-{names[2]}"),
        ("train", paths[3], "--out", "m", "--seed", names[3]),
        ("train", paths[4], "--out", "m", f"--{names[4]}"),
        (names[5],),
    ]
    ascii_terminal = {
        **os.environ,
        "PYTHONIOENCODING": "ascii",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "LC_ALL": "C",
    }
    ended = run_commands(
        [*(("table", "check", path) for path in paths), *wrong], tmp_path, ascii_terminal
    )
    for done in ended[: len(paths)]:
        assert done.code == 0, done.err
        assert done.out.startswith(f"{tmp_path}/")
        assert done.out.endswith(".hdf5: 3 cells, all valid\n")
        assert done.out.isascii()
        assert "\x1b" not in done.out
    for refused in ended[len(paths) :]:
        assert refused.code == 2, refused.err
        assert refused.err.startswith("error: ")
        assert refused.err.count("\n") == 1
        assert "\x1b" not in refused.err
