"""What is printed is literal, whatever it comes from."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.cli.console import bold, fail, prepare_streams, print_line, print_note, print_table
from pyg_nas.data.table import Table

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
def test_warnings_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    prepare_streams()
    warnings.showwarning(UserWarning("a\n\x1b[31mb"), UserWarning, "file.py", 1)
    assert capsys.readouterr().err == "warning: a \\x1b[31mb\n"


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs ``pyg-nas`` in a process that has an ASCII terminal and locale."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PYTHONIOENCODING": "ascii",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "LC_ALL": "C",
        }
        script = "from pyg_nas.cli.app import main; main()"
        return subprocess.run(
            [sys.executable, "-c", script, *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_names_through_the_commands(
    command: Command, small_table: Table, tmp_path: Path, number: int
) -> None:
    name = HOSTILE[number].replace("/", "")
    path = tmp_path / f"{name}.hdf5"
    small_table.subset(np.arange(3)).save(path)
    wrong = (
        ("train", path, "--out", "m", "--split", name),
        ("train", path, "--out", "m", "--recipe", name),
        ("table", "info", f"none-{name}"),
        ("train", path, "--out", "m", "--seed", name),
        ("train", path, "--out", "m", f"--{name}"),
        (name,),
    )[number]
    done = command("table", "check", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/")
    assert done.stdout.endswith(".hdf5: 3 cells, all valid\n")
    assert done.stdout.isascii()
    refused = command(*wrong)
    assert refused.returncode == 2, refused.stderr
    assert refused.stderr.startswith("error: ")
    assert refused.stderr.count("\n") == 1
    assert "\x1b" not in done.stdout + refused.stderr
