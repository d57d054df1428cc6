"""Arrow files of graphs contain what JSON Lines files contain, and are refused if those are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.data.graph_files import arrow as graph_arrow
from pyg_nas.data.graph_files.arrow import read_arrow_graphs
from pyg_nas.data.graph_files.jsonl import parse_graphs
from pyg_nas.errors import TableError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.formats.json_lines import read_lines
from pyg_nas.spaces.nasbench101 import NASBENCH101

pa = pytest.importorskip("pyarrow")
CELLS = sample_cells(50, seed=4)
OPS = [list(cell.operations) for cell in CELLS]
EDGES = [cell.edge_index.T.tolist() for cell in CELLS]
INT, STRING = pa.int32(), pa.string()
PAIRS = pa.list_(pa.list_(pa.int8(), 2))
TYPES = [
    (pa.list_(STRING), PAIRS),
    (pa.large_list(pa.dictionary(pa.int8(), STRING)), pa.large_list(pa.large_list(INT))),
    (pa.list_(pa.large_string()), pa.list_(pa.list_(pa.uint64()))),
]


def write(
    path: Path, ops: list[Any], edges: list[Any], types: Any = TYPES[0], batch: int = 20
) -> Path:
    names, pairs = types
    table = pa.table({"ops": pa.array(ops, names), "y": [None] * len(ops),
                      "edges": pa.array(edges, pairs)})  # fmt: skip
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch)
    return path


def read(path: Path, space: SearchSpace = NASBENCH101, size: int = 16) -> CellArray:
    return CellArray.concatenate(list(read_arrow_graphs(path, space, size)))


@pytest.mark.parametrize("types", TYPES)
def test_lists_of_every_kind_are_read_in_parts(tmp_path: Path, types: Any) -> None:
    path = write(tmp_path / "g.arrow", OPS, EDGES, types)
    assert read(path) == CellArray.from_ragged(CELLS.ragged, NASBENCH101)
    sizes = [len(part) for part in read_arrow_graphs(path, NASBENCH101, 16)]
    assert sizes == [16, 4, 16, 4, 10]  # batches of 20, 20 and 10 rows


def test_drawings_are_those_of_a_json_lines_file(tmp_path: Path) -> None:
    """Vertices in another order, and one on no path from input to output."""
    rng = np.random.default_rng(0)
    ops, edges = [], []
    for names, pairs in zip(OPS, EDGES, strict=True):
        place = rng.permutation(len(names))
        ops.append([names[v] for v in np.argsort(place)] + ["maxpool3x3"])
        edges.append([[int(place[u]), int(place[v])] for u, v in pairs])
    found = read(write(tmp_path / "g.arrow", ops, edges))
    lines = tmp_path / "g.jsonl"
    lines.write_text("".join(json.dumps({"ops": o, "edges": e}) + "\n"
                             for o, e in zip(ops, edges, strict=True)))  # fmt: skip
    assert found == parse_graphs(lines, read_lines(lines), NASBENCH101)
    np.testing.assert_array_equal(found.hashes(), CELLS.hashes())


def test_plain_graphs_have_the_limits_of_the_largest(tmp_path: Path) -> None:
    space = SearchSpace("own", ("a", "b"), 1, 0)
    path = write(tmp_path / "g.arrow", [["a", "b", "b"], ["b"]], [[[0, 2], [0, 1]], []])
    (graphs,) = read_arrow_graphs(path, space, 16)
    assert (graphs.space.max_vertices, graphs.space.max_edges) == (3, 2)
    assert graphs[0].edges == [(0, 1), (0, 2)]


@pytest.mark.parametrize(
    ("ops", "edges", "message"),
    [
        (["input", "output"], [[0, 2]], r"row 51: edge \[0, 2\] must be a pair"),
        (["input", "output"], [[0, -1]], r"row 51: edge \[0, -1\] must be a pair"),
        (["input", "output"], [[0, 1], [0, 1]], r"row 51: edge \[0, 1\] appears twice"),
        (["input", "foo", "output"], [[0, 1], [1, 2]], "row 51: .*'foo'"),
        (["input", "output"], [], "row 51: no path"),
        ([], [], "row 51: a graph has at least 1 vertex"),
        (None, [], 'row 51: "ops" must be a list'),
        (["input", None], [[0, 1]], 'row 51: "ops" must be a list of names'),
        (["input", "output"], None, 'row 51: "edges" must be a list'),
        (["input", "output"], [None], "row 51: edge None"),
        (["input"] + ["maxpool3x3"] * 6 + ["output"], [[i, i + 1] for i in range(7)],
         "row 51: .* at most 7 vertices, got 8"),
    ],
)  # fmt: skip
def test_what_is_no_graph_is_named_by_its_row(
    tmp_path: Path, ops: Any, edges: Any, message: str
) -> None:
    path = write(tmp_path / "g.arrow", [*OPS, ops], [*EDGES, edges])
    with pytest.raises(TableError, match=rf"g\.arrow, {message}"):
        read(path)


def test_pairs_of_other_lengths_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "g.arrow", OPS[:1], [[[0, 1, 2], [1]]], TYPES[1])
    with pytest.raises(TableError, match=r"row 1: edge \[0, 1, 2\] must be a pair"):
        read(path)


def test_few_rows_of_any_length_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "g.arrow", OPS, EDGES)
    monkeypatch.setattr(graph_arrow, "_MOST_AT_ONCE", 40)
    parts = list(read_arrow_graphs(path, NASBENCH101, 16))
    assert max(sum(p.num_vertices) + sum(p.num_edges) for p in parts if len(p) > 1) <= 40
    assert CellArray.concatenate(parts) == CellArray.from_ragged(CELLS.ragged, NASBENCH101)
    for ops, edges, message in (
        (["input"] * 100_001, [], "at most 100,000 vertices, got 100,001"),
        (["input"], [[0, 0]] * 1_000_001, "at most 1,000,000 edges, got 1,000,001"),
        (["input"], [[0] * 1_001], "an edge must be a pair of vertex numbers, got 1,001"),
        (["x" * 10_000], [], r"operation 'x{70,80}\.\.\. at vertex 0"),
    ):
        path = write(tmp_path / "g.arrow", [*OPS[:30], ops], [*EDGES[:30], edges], TYPES[2])
        with pytest.raises(TableError, match=rf"row 31: .*{message}"):
            read(path)
    monkeypatch.setattr(graph_arrow, "_MOST_ROWS", 10)
    with pytest.raises(TableError, match="a record batch of 20 rows, at most 10"):
        read(path)


def test_other_files_and_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.arrow").write_text("no Arrow file")
    with pytest.raises(TableError, match=r"text\.arrow: is not an Arrow file"):
        read(tmp_path / "text.arrow")
    path = write(tmp_path / "g.arrow", [1], EDGES[:1], (INT, PAIRS))
    with pytest.raises(TableError, match=r'column "ops" must hold lists of names .*is .int32'):
        read(path)
    path = write(tmp_path / "g.arrow", OPS[:1], [[0.5]], (pa.list_(STRING), pa.list_(pa.float32())))
    with pytest.raises(TableError, match='column "edges" must hold lists of pairs'):
        read(path)
    pa.ipc.new_file(str(path), pa.schema([("ops", pa.list_(STRING))])).close()
    with pytest.raises(TableError, match='needs one column "edges"'):
        list(read_arrow_graphs(path, NASBENCH101, 4))
    whole = write(path, OPS, EDGES).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TableError, match="is not an Arrow file"):
        read(path)
