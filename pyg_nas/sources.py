"""Opening what a person names: a table file, a graph file or the shipped table."""

from __future__ import annotations

import os
from pathlib import Path

from pyg_nas.errors import TableError
from pyg_nas.graph_file import read_graphs
from pyg_nas.labels import PAPER_LABEL, LabelPolicy
from pyg_nas.space import NASBENCH101, SearchSpace
from pyg_nas.table import Table

GRAPH_FILE_SUFFIX = ".jsonl"


def open_table(path: str | os.PathLike[str], space: SearchSpace | None = None) -> Table:
    """Read an HDF5 table, or a ``.jsonl`` graph file in the ids of ``space``.

    Raises:
        TableError: If the file cannot be read as what its name says.
    """
    path = Path(path)
    if not path.exists():
        raise TableError(f"{path}: no such file")
    if path.suffix == GRAPH_FILE_SUFFIX:
        return read_graphs(path, space)
    return Table.load(path)


def default_label(table: Table) -> LabelPolicy:
    """Return the label policy that fits a table where a person names none.

    Google's NAS-Bench-101: the reproduction's. Other cell tables: final validation accuracy of
    run 0 at the largest budget. Plain graphs: ``y`` as it is, for it may be any figure.
    """
    if table.space != NASBENCH101:
        return LabelPolicy(resample_below=None)
    if table.about or 108 not in table.budgets:
        return LabelPolicy()
    return PAPER_LABEL
