"""People's own graphs: JSON Lines records ``{"ops": [...], "edges": [[u, v], ...], "y": 0.93}``.

One record a line. ``ops`` are names from any vocabulary, one a vertex; ``edges`` are (source,
target) vertex numbers of an acyclic graph; ``y`` is the measured figure and may be left out or
null. Vertices are put into topological order on reading.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.table import Table
from pyg_nas.errors import CellError, SpaceError, TableError, quoted
from pyg_nas.graphs.cell import Cell, edges_to_adjacency
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.json_lines import read_lines
from pyg_nas.io.json_reader import parse_json
from pyg_nas.io.text import printable
from pyg_nas.spaces.measurements import METRICS

MOST_VERTICES = 127


def read_graphs(path: str | os.PathLike[str], space: SearchSpace | None = None) -> Table:
    """Read a graph file as a table with one budget and one run, ``y`` as validation accuracy.

    Args:
        path: The ``.jsonl`` file.
        space: Give the operations the ids of this space (the one that a model was trained on);
            by default the file's own names in alphabetical order. Where it has terminals and all
            graphs are cells of it, they are read as such, pruned.

    Raises:
        TableError: If a line is no such record; the message names line, value and rule. Also if
            an operation is not in ``space``.
    """
    path = Path(path)
    graphs: list[tuple[NDArray[np.int8], list[str]]] = []
    labels: list[float] = []
    for number, line in read_lines(path, TableError):
        try:
            adjacency, ops, y = _parse(line)
        except (CellError, TableError) as error:
            raise TableError(f"{path}, line {number}: {error}") from None
        graphs.append((adjacency, ops))
        labels.append(y)
    if not graphs:
        raise TableError(f"{path}: holds no graph")
    try:
        cells = _cells_of(graphs, space) or _pad(graphs, _space_of(path, graphs, space))
    except SpaceError as error:
        raise TableError(f"{path}: {error}") from None
    metrics = np.full((len(graphs), 1, 1, 2, len(METRICS)), np.nan, dtype=np.float32)
    metrics[:, 0, 0, 1, METRICS.index("validation_accuracy")] = labels
    return Table(cells, metrics, budgets=(1,), about={"source": printable(path.name)})


def _cells_of(
    graphs: list[tuple[NDArray[np.int8], list[str]]], space: SearchSpace | None
) -> CellArray | None:
    """The graphs as cells of ``space``; None where one of them is none."""
    if space is None or not space.terminals:
        return None
    try:
        return CellArray.from_cells((Cell(matrix, ops, space) for matrix, ops in graphs), space)
    except CellError:
        return None


def _space_of(
    path: Path, graphs: list[tuple[NDArray[np.int8], list[str]]], space: SearchSpace | None
) -> SearchSpace:
    if space is None:
        names = tuple(sorted({name for _, ops in graphs for name in ops}))
        terminals: tuple[str, ...] = ()
    else:
        # A terminal of a space is an operation like any other in a plain graph; keeping the
        # whole vocabulary keeps the one-hot columns where the model expects them.
        names, terminals = space.operations, space.terminals
    return SearchSpace(
        name=space.name if space else printable(path.stem) or "graphs",
        operations=names,
        max_vertices=max([len(ops) for _, ops in graphs] + [len(terminals) or 1]),
        max_edges=max(int(adjacency.sum()) for adjacency, _ in graphs),
        terminals=terminals,
    )


def _pad(graphs: list[tuple[NDArray[np.int8], list[str]]], space: SearchSpace) -> CellArray:
    total, width = len(graphs), space.max_vertices
    adjacency = np.zeros((total, width, width), dtype=np.int8)
    operations = np.zeros((total, width), dtype=np.int8)
    num_vertices = np.zeros(total, dtype=np.int8)
    for i, (matrix, ops) in enumerate(graphs):
        v = len(ops)
        adjacency[i, :v, :v] = matrix
        operations[i, :v] = space.encode(ops)
        num_vertices[i] = v
    return CellArray(adjacency, operations, num_vertices, space)


def _parse(line: bytes) -> tuple[NDArray[np.int8], list[str], float]:
    record = parse_json(line, TableError)
    if not isinstance(record, dict) or not {"ops", "edges"} <= set(record):
        raise TableError('a record must be an object with the keys "ops" and "edges"')
    ops, edges, y = record["ops"], record["edges"], record.get("y")
    if not isinstance(ops, list) or not all(isinstance(name, str) and name for name in ops):
        raise TableError(f'"ops" must be a list of names, got {quoted(ops)}')
    if not 1 <= len(ops) <= MOST_VERTICES:
        raise TableError(f"a graph has 1 to {MOST_VERTICES} vertices, got {len(ops)}")
    if not isinstance(edges, list):
        raise TableError(f'"edges" must be a list of pairs, got {quoted(edges)}')
    if y is None:
        y = math.nan
    elif isinstance(y, bool) or not isinstance(y, (int, float)) or not _fits_float32(y):
        raise TableError(f'"y" must be a finite number or null, got {quoted(y)}')
    adjacency = edges_to_adjacency(edges, len(ops))
    order = _topological_order(adjacency)
    return adjacency[np.ix_(order, order)], [ops[v] for v in order], float(y)


def _topological_order(adjacency: NDArray[np.int8]) -> list[int]:
    """Vertices with edges running forwards, the smallest number first among the free ones."""
    waiting = adjacency.sum(axis=0, dtype=np.int64)
    order: list[int] = []
    free = sorted(np.flatnonzero(waiting == 0).tolist(), reverse=True)
    while free:
        vertex = free.pop()
        order.append(vertex)
        for target in np.flatnonzero(adjacency[vertex]).tolist():
            waiting[target] -= 1
            if waiting[target] == 0:
                free.append(target)
        free.sort(reverse=True)
    if len(order) < len(adjacency):
        stuck = sorted(set(range(len(adjacency))) - set(order))
        raise CellError(f"the graph has a cycle through vertices {stuck}")
    return order


def _fits_float32(value: int | float) -> bool:
    return abs(value) <= float(np.finfo(np.float32).max)  # False for NaN and infinity
