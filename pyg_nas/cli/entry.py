"""The console script: a Ctrl-C while the command line is imported ends it with one line, too."""

from __future__ import annotations

import sys

from pyg_nas.cli.signals import exit_code


def main() -> None:
    """Import the command line and run it."""
    try:
        from pyg_nas.cli.app import main as run

        run()
    except KeyboardInterrupt as stop:
        print(str(stop) or "stopped", file=sys.stderr)
        sys.exit(exit_code(stop))
