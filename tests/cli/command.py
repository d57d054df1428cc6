"""A command of ``pyg-nas`` in this process."""

from __future__ import annotations

import sys

from pyg_nas.cli import app


def pyg_nas(*arguments: object) -> int:
    """Run the command line in this process and return its exit code."""
    before = sys.argv
    sys.argv = ["pyg-nas", *map(str, arguments)]
    try:
        app.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0
