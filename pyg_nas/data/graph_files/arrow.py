"""Graph files in Arrow's file format, for sources of very many graphs.

Columns ``ops``, lists of names, and ``edges``, lists of (source, target) pairs: the records of
:mod:`.graph_jsonl` as columns, read without a Python object for each graph.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pyg_nas.data.graph_files.jsonl import parse_graphs
from pyg_nas.errors import TableError, quoted
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.drawings import canonical_graphs
from pyg_nas.graphs.ragged import Ids, Ints
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.formats.arrow import check_batch_sizes, import_pyarrow
from pyg_nas.io.limits import MOST_OPERATORS
from pyg_nas.io.regular_files import check_regular

_MOST_ROWS = 10_000_000  # of a record batch: Arrow's writers make them of 1,048,576
_MOST_EDGES = 1_000_000  # of a graph, as in a line of JSON Lines
_MOST_OF_AN_EDGE = 1_000  # numbers; others than two are refused with the graph
_MOST_AT_ONCE = 2_000_000  # vertices and edges, 100 bytes each as Python objects

_RULES = {
    "ops": "lists of names (list<string>, or list<dictionary> of strings)",
    "edges": "lists of pairs of whole numbers (list<fixed_size_list<int>[2]>, or list<list<int>>)",
}


class _Flat(NamedTuple):
    """Concatenated graphs, as :func:`.canonical_graphs` takes them."""

    sizes: Ints
    ids: Ids
    edge_counts: Ints
    edges: Ints


def read_arrow_graphs(
    path: str | os.PathLike[str], space: SearchSpace, size: int
) -> Iterator[CellArray]:
    """Yield the graphs of a file, at most ``size`` at a time; rows are counted from 1 in errors.

    Args:
        path: The file, read by one record batch at a time.
        size: Largest number of graphs in an array.

    Raises:
        TableError: If it is no such file, a batch takes more than
            :data:`~pyg_nas.io.limits.MOST_BATCH_BYTES`, or a row is not a graph of the space.
        SettingsError: If pyarrow is not installed.
    """
    arrow = import_pyarrow()
    path = Path(path)
    check_regular(path, TableError)
    check_batch_sizes(path, TableError)
    try:
        with arrow.OSFile(str(path)) as source, arrow.ipc.open_file(source) as file:
            _check_columns(path, file.schema)
            row = 1
            for number in range(file.num_record_batches):
                batch = file.get_batch(number)
                batch.validate(full=True)
                for start, stop in _parts(path, batch, row, size):
                    yield _graphs(path, batch.slice(start, stop - start), row + start, space)
                row += batch.num_rows
    except (arrow.ArrowException, OSError) as error:
        raise TableError(f"{path}: is not an Arrow file of graphs ({error})") from None


def _parts(path: Path, batch: Any, row: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the first row of each part of a batch and the one after its last.

    A part has at most ``size`` graphs, and one or at most :data:`_MOST_AT_ONCE` vertices and edges.
    """
    if batch.num_rows > _MOST_ROWS:
        raise TableError(
            f"{path}: a record batch of {batch.num_rows:,} rows, at most {_MOST_ROWS:,} are read"
        )
    ops, edges = (batch.column(name) for name in _RULES)
    vertices, counts = (np.diff(lists.offsets).astype(np.int64) for lists in (ops, edges))
    _check_most(path, vertices, row, MOST_OPERATORS, "vertices")
    _check_most(path, counts, row, _MOST_EDGES, "edges")
    if _is_list(edges.type.value_type):
        lengths = np.diff(edges.values.offsets)
        if lengths.max(initial=0) > _MOST_OF_AN_EDGE:
            wrong = int(np.searchsorted(edges.offsets, lengths.argmax(), "right")) - 1
            raise TableError(
                f"{path}, row {row + wrong}: an edge must be a pair of vertex numbers, got "
                f"{lengths.max():,}"
            )
    ends = np.cumsum(vertices + counts)
    start = 0
    while start < batch.num_rows:
        before = ends[start - 1] if start else 0
        fitting = int(np.searchsorted(ends, before + _MOST_AT_ONCE, side="right"))
        stop = min(start + size, max(fitting, start + 1), batch.num_rows)
        yield start, stop
        start = stop


def _check_most(path: Path, lengths: Ints, row: int, most: int, what: str) -> None:
    if lengths.max(initial=0) > most:
        wrong = int(lengths.argmax())
        raise TableError(
            f"{path}, row {row + wrong}: a graph has at most {most:,} {what}, got "
            f"{lengths[wrong]:,}"
        )


def _check_columns(path: Path, schema: Any) -> None:
    for name, rule in _RULES.items():
        if schema.get_field_index(name) < 0:
            raise TableError(f'{path}: needs one column "{name}", {rule}')
        kind = schema.field(name).type
        good = _is_list(kind) and _HOLDS[name](kind.value_type)
        if not good:
            raise TableError(f'{path}: column "{name}" must hold {rule}, is {quoted(str(kind))}')


def _is_list(kind: Any) -> bool:
    types = import_pyarrow().types
    return bool(types.is_list(kind) or types.is_large_list(kind))


def _is_name(kind: Any) -> bool:
    types = import_pyarrow().types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_pair(kind: Any) -> bool:
    types = import_pyarrow().types
    listed = _is_list(kind) or (types.is_fixed_size_list(kind) and kind.list_size == 2)
    return bool(listed and types.is_integer(kind.value_type))


_HOLDS = {"ops": _is_name, "edges": _is_pair}


def _graphs(path: Path, batch: Any, row: int, space: SearchSpace) -> CellArray:
    flat = _flat(batch, space)
    cells = None if flat is None else canonical_graphs(*flat, space)
    if cells is None:  # order and prune one by one, or raise the error of one
        records = zip(batch.column("ops").to_pylist(), batch.column("edges").to_pylist(),
                      strict=True)  # fmt: skip
        objects = ({"ops": ops, "edges": edges} for ops, edges in records)
        cells = parse_graphs(path, enumerate(objects, row), space, "row")
    return cells


def _flat(batch: Any, space: SearchSpace) -> _Flat | None:
    """Return the columns as arrays, or None if something in them is missing or unknown."""
    ops, edges = batch.column("ops"), batch.column("edges")
    pairs = edges.flatten()
    names, ends = ops.flatten(), pairs.flatten()
    if any(array.null_count for array in (ops, edges, names, pairs, ends)):
        return None
    if len(ends) != 2 * len(pairs):
        return None
    fixed = import_pyarrow().types.is_fixed_size_list(pairs.type)
    if not fixed and (np.diff(pairs.offsets.to_numpy()) != 2).any():
        return None
    encoded = names.dictionary_encode()
    used = encoded.dictionary.to_pylist()
    indices = encoded.indices.to_numpy()
    known = np.array([name in space.vocabulary for name in used], dtype=bool)
    if not known[indices].all():
        return None
    ids = np.array([space.encode([n])[0] if k else 0 for n, k in zip(used, known, strict=True)])
    sizes, counts = (np.diff(lists.offsets.to_numpy()).astype(np.int64) for lists in (ops, edges))
    if not sizes.all():
        return None
    return _Flat(sizes, ids[indices], counts, ends.to_numpy().astype(np.int64).reshape(-1, 2).T)
