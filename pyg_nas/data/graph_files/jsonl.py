"""Users' own graphs: JSON Lines records ``{"ops": [...], "edges": [[u, v], ...], "y": 0.93}``.

One record per line. ``ops`` are names, one per vertex; ``edges`` are (source, target) vertex
numbers of an acyclic graph, in any numbering; ``y`` is the measured number, which may be left out
or null.

Every record is independent of the others. In a file of a space with an input and an output, each
record is a drawing of a cell: the vertices with these names are its input and output, at any
position, vertices on no path between them are dropped, and a record that is not a cell is an error.
In plain graphs all vertices are kept. Vertices are put into topological order.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import CellError, SpaceError, TableError, first_repeated, listed, quoted
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_rules import check_edge
from pyg_nas.graphs.drawings import Edges, canonical_graph, canonical_graphs, with_limits
from pyg_nas.graphs.ragged import Ints, RaggedGraphs
from pyg_nas.graphs.registry import find_space, space_names
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.formats.json_lines import read_lines
from pyg_nas.io.formats.json_reader import parse_json
from pyg_nas.io.limits import LARGEST_FLOAT32, MOST_OPERATION_NAMES, MOST_OPERATORS
from pyg_nas.io.text import printable
from pyg_nas.spaces.measurements import END, METRICS, RUN_SHAPE

PLAIN = "plain"
"""The space of graphs that are no cells, in the place of a registered name."""

_ROWS_AT_ONCE = 64  # Python's garbage collector costs more than parsing if many lists are alive


class _Record(NamedTuple):
    line: int
    operations: list[int]  # numbers of names, in the order of their first use in the file
    edges: Edges
    y: float


def read_graphs(path: str | os.PathLike[str], space: SearchSpace | str | None = None) -> Table:
    """Read a graph file as a table with one budget and one run, ``y`` as validation accuracy.

    Args:
        path: The ``.jsonl`` file.
        space: The space of all records. None: the registered space that has all the file's names,
            those of its input and output among them; if there is none, or for ``"plain"``, plain
            graphs over the names in the file in alphabetical order. There is a warning if several
            spaces have all names, or only some of the records have those of a registered space.

    Raises:
        TableError: If a line is not such a record or not a cell of the space; the message names
            file, line, value and rule.
    """
    path = Path(path)
    names: dict[str, int] = {}
    records = _records(path, read_lines(path, TableError), names)
    if not records:
        raise TableError(f"{path}: contains no graph")
    if len(names) > MOST_OPERATION_NAMES:
        raise TableError(
            f"{path}: has {len(names):,} names of operations, at most {MOST_OPERATION_NAMES:,} "
            f"are read"
        )
    try:
        if isinstance(space, str) and space != PLAIN:
            raise SpaceError(f"space {space!r} must be a SearchSpace or {PLAIN!r}")
        chosen = _recognized_space(path, names) if space is None else space
        if chosen is None:
            _warn_of_cells(path, records, list(names))
        # The limits of plain graphs are those of the largest one, see _cells.
        own = printable(path.stem) or "graphs", tuple(sorted(names))
        space = chosen if isinstance(chosen, SearchSpace) else SearchSpace(*own, 1, 0)
    except SpaceError as error:
        raise TableError(f"{path}: {error}") from None
    cells = _cells(path, records, list(names), space)
    metrics = np.full((len(records), 1, 1, *RUN_SHAPE), np.nan, dtype=np.float32)
    metrics[:, 0, 0, END, METRICS.index("validation_accuracy")] = [r.y for r in records]
    return Table(
        cells,
        metrics,
        budgets=(1,),
        about={"source": printable(path.name), "networks": "not known"},
    )


def parse_graphs(
    path: str | os.PathLike[str],
    rows: Iterable[tuple[int, Any]],
    space: SearchSpace,
    unit: str = "line",
) -> CellArray:
    """Return the graphs of some records of a file.

    Args:
        path: The file, for errors.
        rows: (number, record) of each; a record is decoded, or the content of a line.
        space: The space of the records.
        unit: Unit of the numbers, such as line, for errors.

    Raises:
        TableError: As :func:`read_graphs` does.
    """
    rows = list(rows)
    cells = _canonical_rows([row for _, row in rows], space)
    if cells is None:  # ordered and pruned one by one, or the error of one is raised
        names: dict[str, int] = {}
        records = _records(Path(path), rows, names, unit)
        cells = _cells(Path(path), records, list(names), space, unit)
    return cells


def _canonical_rows(rows: list[Any], space: SearchSpace) -> CellArray | None:
    """Return records as graphs, or None if one is no record or not the canonical graph of its
    drawing.
    """
    id_of = dict(zip(space.vocabulary, space.encode(list(space.vocabulary)), strict=True))
    parts = []
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        try:
            parts.append(_row_arrays(rows[start : start + _ROWS_AT_ONCE], id_of))
        except (TableError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return None
    if not parts:
        return None
    sizes, ids, counts, edges = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    return canonical_graphs(sizes, ids, counts, edges, space)


def _row_arrays(rows: list[Any], id_of: dict[str, int]) -> tuple[Ints, Ints, Ints, Ints]:
    """Return records as :func:`.canonical_graphs` takes them; any error if one is no record.

    The rules are those of :func:`_record`, each for all records at once: most of the time of
    reading a stream is spent here.
    """
    records = [parse_json(row, TableError) if isinstance(row, bytes) else row for row in rows]
    ops, edges = [record["ops"] for record in records], [record["edges"] for record in records]
    labels = [y for record in records if (y := record.get("y")) is not None]
    pairs = list(chain.from_iterable(edges))
    ends = list(chain.from_iterable(pairs))
    sizes, counts = (np.array(list(map(len, lists))) for lists in (ops, edges))
    ids = [id_of[name] for name in chain.from_iterable(ops)]
    good = (
        set(map(type, chain(ops, edges, pairs))) <= {list}
        and set(map(len, pairs)) <= {2}
        and set(map(type, ends)) <= {int}
        and set(map(type, labels)) <= {int, float}
        and all(abs(y) <= LARGEST_FLOAT32 for y in labels)
        and sizes.min() > 0
        and sizes.max() <= MOST_OPERATORS
    )
    if not good:
        raise TableError("a record is not valid")
    edges_of_all = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    return sizes, np.array(ids, dtype=np.int64), counts, edges_of_all


def _records(
    path: Path, rows: Iterable[tuple[int, Any]], names: dict[str, int], unit: str = "line"
) -> list[_Record]:
    """Return the records of rows; names that are new are added to ``names``."""
    records = []
    for number, row in rows:
        try:
            decoded = parse_json(row, TableError) if isinstance(row, bytes) else row
            records.append(_record(number, decoded, names))
        except (CellError, TableError) as error:
            raise TableError(f"{path}, {unit} {number}: {error}") from None
    return records


def _recognized_space(path: Path, names: dict[str, int]) -> SearchSpace | None:
    """Return the registered space that has all these operation names and whose input and output
    are among them, or None; with a warning, the first one of several.
    """
    fitting = [
        space
        for space in map(find_space, space_names())
        if space.terminals and set(space.terminals) <= set(names) <= set(space.vocabulary)
    ]
    if len(fitting) > 1:
        one, others = fitting[0].name, listed([space.name for space in fitting[1:]])
        warnings.warn(
            f"{path}: all of its operations are those of the space {one!r}, and also of {others}; "
            f"it is read as cells of {one!r}. Name the space to avoid this warning",
            stacklevel=3,
        )
    return fitting[0] if fitting else None


def _warn_of_cells(path: Path, records: list[_Record], names: list[str]) -> None:
    """Warn if a file is read as plain graphs although some records have a registered space's names.

    In a file without the other records they would be cells of that space, with other hashes.
    """
    for space in map(find_space, space_names()):
        vocabulary = set(space.vocabulary)
        foreign, cells = [], 0
        for record in records:
            used = {names[number] for number in record.operations}
            if not used <= vocabulary:
                foreign.append((record.line, min(used - vocabulary)))
            elif space.terminals and set(space.terminals) < used:
                cells += 1
        if cells and foreign:
            line, name = foreign[0]
            warnings.warn(
                f"{path}: read as plain graphs, although {cells:,} of {len(records):,} records "
                f"have only names of the space {space.name!r}: line {line} has {quoted(name)}. "
                f"Name the space: {space.name}, in which that line is an error, or plain",
                stacklevel=3,
            )
            return


def _cells(
    path: Path, records: list[_Record], names: list[str], space: SearchSpace, unit: str = "line"
) -> CellArray:
    """Return the records as graphs of one space, whose limits follow plain graphs of any size."""
    known = set(names) & set(space.vocabulary)
    id_of = {number: space.encode([n])[0] for number, n in enumerate(names) if n in known}
    if len(known) == len(names):
        cells = _canonical_cells(records, id_of, space)
        if cells is not None:
            return cells
    if records:
        space = with_limits(
            space,
            max(len(record.operations) for record in records),
            max(len(record.edges) for record in records),
        )
    operations, edge_lists = [], []
    for record in records:
        try:
            found = [id_of[number] for number in record.operations if number in id_of]
            if len(found) < len(record.operations):  # which raises, naming the operation
                space.encode([names[number] for number in record.operations])
            edges, ids = canonical_graph(found, record.edges, space)
        except (CellError, SpaceError) as error:
            raise TableError(f"{path}, {unit} {record.line}: {error}") from None
        operations.append(np.asarray(ids, dtype=space.id_type))
        edge_lists.append(edges)
    return CellArray.from_ragged(RaggedGraphs.of_lists(operations, edge_lists), space)


def _canonical_cells(
    records: list[_Record], id_of: dict[int, int], space: SearchSpace
) -> CellArray | None:
    ids = np.array([id_of[n] for record in records for n in record.operations], dtype=np.int64)
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(r.edges for r in records)), np.int64)
    return canonical_graphs(
        np.array([len(record.operations) for record in records]),
        ids,
        np.array([len(record.edges) for record in records]),
        flat.reshape(-1, 2).T,
        space,
    )


def _record(line: int, record: Any, names: dict[str, int]) -> _Record:
    """Check one record and number its names; new ones are added to ``names``."""
    if not isinstance(record, dict) or not {"ops", "edges"} <= set(record):
        raise TableError('a record must be an object with the keys "ops" and "edges"')
    ops, edges, y = record["ops"], record["edges"], record.get("y")
    # Whole lists at once: most of the time of reading a file is spent here.
    if not isinstance(ops, list) or not set(map(type, ops)) <= {str} or not all(ops):
        raise TableError(f'"ops" must be a list of names, got {quoted(ops)}')
    if not ops:
        raise TableError("a graph has at least 1 vertex, got 0")
    if len(ops) > MOST_OPERATORS:
        raise TableError(f"a graph has at most {MOST_OPERATORS:,} vertices, got {len(ops):,}")
    if not isinstance(edges, list):
        raise TableError(f'"edges" must be a list of pairs, got {quoted(edges)}')
    pairs = _pairs(edges, len(ops))
    if len(set(pairs)) < len(pairs) and (repeated := first_repeated(pairs)):
        raise TableError(f"edge {list(repeated[0])} appears twice")
    if y is None:
        y = math.nan
    # False for NaN and infinity, too.
    elif type(y) not in (int, float) or not abs(y) <= LARGEST_FLOAT32:
        raise TableError(f'"y" must be a finite number or null, got {quoted(y)}')
    try:
        numbers = list(map(names.__getitem__, ops))
    except KeyError:
        numbers = [names.setdefault(name, len(names)) for name in ops]
    return _Record(line, numbers, pairs, float(y))


def _pairs(edges: list[Any], vertices: int) -> Edges:
    known = False
    if set(map(type, edges)) <= {list} and set(map(len, edges)) <= {2}:
        ends = list(chain.from_iterable(edges))
        whole = set(map(type, ends)) <= {int}
        known = whole and (not ends or (min(ends) >= 0 and max(ends) < vertices))
    if not known:  # the first one that is wrong is named
        for edge in edges:
            check_edge(edge, vertices)
    return list(map(tuple, edges))
