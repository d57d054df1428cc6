"""The name of a source that is scored, checked before any work is done."""

from __future__ import annotations

from pathlib import Path

from pyg_nas.errors import SpaceError, TableError
from pyg_nas.graphs.registry import find_space
from pyg_nas.io.regular_files import check_regular

GRAPH_FILES = (".jsonl", ".arrow")


def check_source(source: str) -> None:
    """Check a source that a user names; a function is not imported.

    Raises:
        SpaceError: If no space has that name.
        TableError: If it is a graph file that cannot be read.
    """
    if Path(source).suffix in GRAPH_FILES:
        check_regular(source, TableError)
    elif ":" not in source:
        try:
            find_space(source)
        except SpaceError as error:
            raise SpaceError(
                f"{error}; other sources are a graph file (.jsonl, .arrow) and a function of "
                f"yours, as file.py:function"
            ) from None
