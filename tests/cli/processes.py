"""Commands in a process that imports nothing but them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PROGRAM = """
import json, os, sys
from pyg_nas.cli.app import main
for arguments in json.loads(sys.argv[1]):
    # As the bytes of a command line are read in the locale of this process.
    words = [os.fsdecode(word.encode("utf-8", "surrogateescape")) for word in arguments]
    sys.argv = ["pyg-nas", *words]
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code or 0
    sys.stdout.write("\\0" + json.dumps([code, *sys.modules]) + "\\0")
    sys.stderr.write("\\0")
"""


class Ended(NamedTuple):
    """How a command ended, and the modules that its process had loaded by then."""

    code: int
    modules: frozenset[str]
    out: str
    err: str


def run_commands(
    commands: Sequence[Sequence[object]],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Ended]:
    """Run commands of ``pyg-nas`` one after another in one new process."""
    given = json.dumps([[str(word) for word in command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, given],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *outs, _ = done.stdout.split("\0")
    *errors, _ = done.stderr.split("\0")
    ended = []
    for out, state, err in zip(outs[::2], outs[1::2], errors, strict=True):
        code, *modules = json.loads(state)
        ended.append(Ended(code, frozenset(modules), out, err))
    return ended
