"""A Ctrl-C while the command line is imported ends it as one that comes later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no TOML reader")
PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
MODULE, FUNCTION = PYPROJECT["project"]["scripts"]["pyg-nas"].split(":")
INTERRUPT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == IMPORTED:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
sys.meta_path.insert(0, Interrupt())
"""


@pytest.mark.parametrize("imported", ["pyg_nas.cli.app", "typer", "pyg_nas.cli.commands.tune"])
def test_a_ctrl_c_during_imports_is_one_line(imported: str) -> None:
    # As in the script that pip makes.
    script = f"from {MODULE} import {FUNCTION}\nsys.exit({FUNCTION}())"
    run = subprocess.run(
        [sys.executable, "-c", f"IMPORTED = {imported!r}{INTERRUPT}{script}", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "stopped\n")
