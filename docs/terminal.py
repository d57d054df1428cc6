"""Runs commands for real and draws what they print: docs/images/terminal.svg.

python docs/terminal.py
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
IMAGE = Path(__file__).parent / "images" / "terminal.svg"
WIDTH = 96
MAIN = "from pyg_nas.cli.app import main; main()"
COMMANDS = (
    "pyg-nas train nasbench_digits.hdf5 --split 172 --recipe fast --out model",
    "pyg-nas evaluate model nasbench_digits.hdf5",
    "pyg-nas search nasbench_digits.hdf5 --start 16 --refit 4 --rounds 6 --recipe fast "
    "--out search",
)


def main() -> None:
    """Run the commands in an empty folder beside the shipped table and write the picture."""
    screen = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "COLUMNS": str(WIDTH),
        "FORCE_COLOR": "1",
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "nasbench_digits.hdf5").symlink_to(
            ROOT / "datasets" / "nasbench_digits.hdf5"
        )
        for command in COMMANDS:
            screen.print(Text.assemble(("$ ", "dim"), (command, "bold")))
            program = [sys.executable, "-c", MAIN, *command.split()[1:]]
            done = subprocess.run(
                program, cwd=folder, env=environment, capture_output=True, check=True
            )
            screen.print(Text.from_ansi(last_screen(done.stdout.decode()) + "\n"))
    picture = screen.export_svg(title="pyg-nas", unique_id="pyg-nas")
    # Fonts are the reader's own: nothing is fetched.
    IMAGE.write_text(re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL), encoding="utf-8")


def last_screen(output: str) -> str:
    """Return what is left on a terminal: progress bars go back up and erase what they drew."""
    lines, row = [""], 0
    for part in re.split(r"(\n|\r|\x1b\[2K|\x1b\[1A|\x1b\[\?25[lh])", output):
        if part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part == "\x1b[1A":
            row -= 1
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not part.startswith(("\r", "\x1b[?25")):
            lines[row] += part
    return "\n".join(lines).rstrip()


if __name__ == "__main__":
    main()
