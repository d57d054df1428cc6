from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_nas.data.graph_files.jsonl import parse_graphs, read_graphs
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.errors import TableError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101 import NASBENCH101


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def test_reads_graphs_of_any_vocabulary(tmp_path: Path) -> None:
    path = write(
        tmp_path / "own.jsonl",
        {"ops": ["zeta", "alpha", "mid"], "edges": [[0, 1], [0, 2], [1, 2]], "y": 0.5},
        {"ops": ["mid"], "edges": [], "y": None},
        {"ops": ["mid", "alpha"], "edges": [[0, 1]], "extra": "ignored"},
    )
    table = read_graphs(path)
    assert table.space == SearchSpace("own", ("alpha", "mid", "zeta"), 3, 3)
    assert table.cells.num_vertices.tolist() == [3, 1, 2]
    assert table.cells.operations.tolist() == [[2, 0, 1], [1, 0, 0], [1, 0, 0]]
    assert table.cells.adjacency[0].tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    assert table.cells.adjacency[1].sum() == 0
    assert table.trainable_parameters.tolist() == [-1, -1, -1]
    assert (table.budgets, table.num_runs) == ((1,), 1)
    label = table.label(LabelPolicy(resample_below=None))
    np.testing.assert_array_equal(label, [0.5, np.nan, np.nan])
    assert table.cells.first_invalid() is None


def test_vertices_are_put_into_topological_order(tmp_path: Path) -> None:
    # 2 -> 1 -> 0 and 3: the free vertices 2 and 3 come first, the smaller one before.
    path = write(
        tmp_path / "g.jsonl", {"ops": ["a", "b", "c", "d"], "edges": [[1, 0], [2, 1], [3, 0]]}
    )
    cell = read_graphs(path).cells[0]
    assert cell.operations == ("c", "b", "d", "a")
    assert cell.edges == [(0, 1), (1, 3), (2, 3)]


def test_the_order_of_vertices_does_not_change_the_hash(tmp_path: Path) -> None:
    path = write(
        tmp_path / "g.jsonl",
        {"ops": ["a", "b", "c"], "edges": [[0, 1], [1, 2]]},
        {"ops": ["c", "a", "b"], "edges": [[1, 2], [2, 0]]},
    )
    hashes = read_graphs(path).hashes
    assert hashes[0] == hashes[1]


def test_ids_of_a_given_space(tmp_path: Path) -> None:
    path = write(
        tmp_path / "g.jsonl",
        {"ops": ["input", "maxpool3x3", "output"], "edges": [[0, 1], [1, 2]]},
    )
    table = read_graphs(path, NASBENCH101)
    assert table.cells.operations[0].tolist() == [-1, 2, -2, 0, 0, 0, 0]
    assert table.space.vocabulary == NASBENCH101.vocabulary
    other = write(tmp_path / "o.jsonl", {"ops": ["sigmoid"], "edges": []})
    with pytest.raises(TableError, match=r"o\.jsonl, line 1: operation 'sigmoid'"):
        read_graphs(other, NASBENCH101)


def test_cells_of_a_given_space_are_its_cells(tmp_path: Path) -> None:
    # Vertex 2 leads nowhere: it is pruned, and the hash is the cell's.
    path = write(
        tmp_path / "g.jsonl",
        {
            "ops": ["input", "maxpool3x3", "conv3x3-bn-relu", "output"],
            "edges": [[0, 1], [1, 3], [0, 2]],
        },
    )
    cell = Cell([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"])
    table = read_graphs(path, NASBENCH101)
    assert table.space == NASBENCH101
    assert table.cells[0] == cell
    assert read_graphs(path).cells[0] == cell  # the space is recognized by its names
    plain = SearchSpace("plain", tuple(sorted(NASBENCH101.vocabulary)), 7, 9)
    assert read_graphs(path, plain).cells[0].num_vertices == 4


def test_blank_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    path.write_text('\n{"ops": ["a"], "edges": []}\n\n{"ops": []}\n')
    with pytest.raises(TableError, match="line 4"):
        read_graphs(path)


WRONG = {
    "not JSON": ("{", "not JSON"),
    "deep": ("[" * 100_000, "nested more than 64 levels"),
    "list": ("[1]", "must be an object"),
    "no edges": ('{"ops": ["a"]}', "must be an object with the keys"),
    "ops text": ('{"ops": "ab", "edges": []}', '"ops" must be a list of names'),
    "ops numbers": ('{"ops": [1], "edges": []}', '"ops" must be a list of names'),
    "ops empty name": ('{"ops": [""], "edges": []}', '"ops" must be a list of names'),
    "no vertex": ('{"ops": [], "edges": []}', "at least 1 vertex, got 0"),
    "edges number": ('{"ops": ["a"], "edges": 1}', '"edges" must be a list'),
    "edge triple": ('{"ops": ["a", "b"], "edges": [[0, 1, 2]]}', "must be a pair"),
    "edge out of range": ('{"ops": ["a", "b"], "edges": [[0, 2]]}', "from 0 to 1"),
    "edge negative": ('{"ops": ["a", "b"], "edges": [[-1, 0]]}', "from 0 to 1"),
    "edge twice": ('{"ops": ["a", "b"], "edges": [[0, 1], [0, 1]]}', "appears twice"),
    "loop": ('{"ops": ["a"], "edges": [[0, 0]]}', "cycle"),
    "cycle": ('{"ops": ["a", "b"], "edges": [[0, 1], [1, 0]]}', r"cycle through vertices \[0, 1\]"),
    "y text": ('{"ops": ["a"], "edges": [], "y": "1"}', '"y" must be a finite number'),
    "y true": ('{"ops": ["a"], "edges": [], "y": true}', '"y" must be a finite number'),
    "y NaN": ('{"ops": ["a"], "edges": [], "y": NaN}', "numbers must be finite, got NaN"),
    "y large": ('{"ops": ["a"], "edges": [], "y": 1e39}', '"y" must be a finite number'),
    "y huge": (f'{{"ops": ["a"], "edges": [], "y": 1{"0" * 400}}}', '"y" must be a finite'),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_invalid_line_is_named(tmp_path: Path, case: str) -> None:
    line, message = WRONG[case]
    path = tmp_path / "g.jsonl"
    path.write_text('{"ops": ["a"], "edges": []}\n' + line + "\n")
    with pytest.raises(TableError, match=f"g.jsonl, line 2: .*{message}"):
        read_graphs(path)
    # The lines of a stream are read together as long as all are records.
    plain = SearchSpace("letters", ("a", "b"), max_vertices=9, max_edges=9)
    with pytest.raises(TableError, match=f"g.jsonl, line 2: .*{message}"):
        parse_graphs(path, enumerate(path.read_bytes().splitlines(), 1), plain)


def test_files_without_graphs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file"):
        read_graphs(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(TableError, match="contains no graph"):
        read_graphs(tmp_path / "empty.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TableError, match="UTF-8"):
        read_graphs(tmp_path / "binary.jsonl")


def test_many_operations_and_vertices_are_read(tmp_path: Path) -> None:
    large = {"ops": ["op0"] * 5_000, "edges": [[v + 1, v] for v in range(4_999)]}
    few = ({"ops": [f"op{i}"], "edges": []} for i in range(300))
    table = read_graphs(write(tmp_path / "g.jsonl", large, *few))
    assert table.cells[0].num_vertices == 5_000
    assert table.cells[0].edges[-1] == (4_998, 4_999)
    assert {cell.operations[0] for cell in table.cells} == {f"op{i}" for i in range(300)}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_give_a_table_or_the_documented_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "g.jsonl"
    path.write_bytes(data)
    with pytest.raises(TableError):
        read_graphs(path)


DEAD_END = {
    "ops": ["input", "conv3x3-bn-relu", "output", "maxpool3x3"],
    "edges": [[0, 1], [1, 2], [0, 3]],
    "y": 0.9,
}
OUTPUT_FIRST = {
    "ops": ["output", "maxpool3x3", "conv3x3-bn-relu", "input"],
    "edges": [[3, 2], [2, 0], [3, 1]],
    "y": 0.9,
}
AFTER_THE_OUTPUT = {
    "ops": ["input", "conv3x3-bn-relu", "output", "maxpool3x3", "conv1x1-bn-relu"],
    "edges": [[4, 0], [0, 1], [1, 2], [2, 3]],
    "y": 0.9,
}
CHAIN = Cell([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "conv3x3-bn-relu", "output"])


@pytest.mark.parametrize("space", [None, NASBENCH101], ids=["recognized", "named"])
def test_every_record_is_read_by_itself(tmp_path: Path, space: SearchSpace | None) -> None:
    records = [DEAD_END, OUTPUT_FIRST, AFTER_THE_OUTPUT]
    alone = [read_graphs(write(tmp_path / "one.jsonl", r), space).hashes[0] for r in records]
    together = read_graphs(write(tmp_path / "all.jsonl", *records), space)
    assert together.hashes.tolist() == alone == [CHAIN.hash.encode()] * 3
    assert together.space == NASBENCH101
    assert together.cells.first_invalid() is None
    # The labels are of any networks of these cells, not of those of the benchmark.
    assert together.trainable_parameters.tolist() == [-1] * 3
    assert together.network_size is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_any_numbering_of_a_cell_is_that_cell(
    tmp_path_factory: pytest.TempPathFactory, seed: int, random: Any
) -> None:
    cell = sample_cells(1, seed)[0]
    order = list(range(cell.num_vertices))
    random.shuffle(order)
    edges = [[order[u], order[v]] for u, v in cell.edges]
    random.shuffle(edges)
    ops = [""] * len(order)
    for vertex, place in enumerate(order):
        ops[place] = cell.operations[vertex]
    path = tmp_path_factory.mktemp("any") / "g.jsonl"
    table = read_graphs(write(path, {"ops": ops, "edges": edges}))
    assert table.cells[0] == cell
    assert table.cells.first_invalid() is None


NO_CELLS = {
    "no path": (["input", "maxpool3x3", "output"], [[0, 1]], "no path leads from the 'input'"),
    "two inputs": (["input", "input", "output"], [[0, 2], [1, 2]], "one 'input' vertex, got 2"),
    "no output": (["input", "maxpool3x3"], [[0, 1]], "one 'output' vertex, got 0"),
    "cycle": (["input", "maxpool3x3", "output"], [[0, 2], [1, 1]], "a cycle"),
    "against the edges": (["output", "input"], [[0, 1]], "no path"),
    "many vertices": (
        ["input", *["maxpool3x3"] * 6, "output"],
        [[v, v + 1] for v in range(7)],
        "at most 7 vertices, got 8",
    ),
    "many edges": (
        ["input", *["maxpool3x3"] * 4, "output"],
        [[u, v] for v in range(6) for u in range(v)][:-5] + [[u, 5] for u in range(5)],
        "at most 9 edges, got 15",
    ),
}


@pytest.mark.parametrize("case", NO_CELLS)
@pytest.mark.parametrize("space", [None, NASBENCH101], ids=["recognized", "named"])
def test_a_record_that_is_no_cell_is_named(
    tmp_path: Path, case: str, space: SearchSpace | None
) -> None:
    ops, edges, message = NO_CELLS[case]
    path = write(tmp_path / "g.jsonl", DEAD_END, {"ops": ops, "edges": edges}, OUTPUT_FIRST)
    with pytest.raises(TableError, match=rf"g\.jsonl, line 2: .*{message}"):
        read_graphs(path, space)
    with pytest.raises(TableError, match=rf"g\.jsonl, line 2: .*{message}"):
        parse_graphs(path, enumerate(path.read_bytes().splitlines(), 1), NASBENCH101)


def test_a_drawing_with_many_dead_vertices_is_a_cell(tmp_path: Path) -> None:
    ops = [*DEAD_END["ops"], *["maxpool3x3"] * 30]  # type: ignore[misc]
    edges = [*DEAD_END["edges"], *[[v, v + 1] for v in range(3, 30)]]  # type: ignore[misc]
    assert read_graphs(write(tmp_path / "g.jsonl", {"ops": ops, "edges": edges})).cells[0] == CHAIN


def test_names_of_another_space_are_plain_graphs(tmp_path: Path) -> None:
    other = {"ops": ["input", "sep5x5", "output"], "edges": [[0, 1], [1, 2]]}
    path = write(tmp_path / "g.jsonl", DEAD_END, other)
    with pytest.warns(UserWarning, match=r"1 of 2 records .*'nasbench101': line 2 has 'sep5x5'"):
        assert read_graphs(path).space.terminals == ()
    assert read_graphs(path, "plain").space.terminals == ()
    with pytest.raises(TableError, match=r"line 2: .*sep5x5"):
        read_graphs(path, NASBENCH101)
    no_terminals = {"ops": ["maxpool3x3"], "edges": []}
    assert read_graphs(write(tmp_path / "h.jsonl", no_terminals)).space.terminals == ()


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    path.write_text(json.dumps(DEAD_END) + "\n", encoding="utf-8-sig")
    assert read_graphs(path).cells[0] == CHAIN


def test_drawings_of_nasbench201_are_its_cells(tmp_path: Path) -> None:
    space = find_space("nasbench201")
    ops = ["input", "skip_connect", "none", "nor_conv_3x3", "none", "none", "none", "output"]
    edges = [[0, 1], [0, 2], [0, 4], [1, 3], [1, 5], [2, 6], [3, 6], [4, 7], [5, 7], [6, 7]]
    nothing = {"ops": ["input", *["none"] * 6, "output"], "edges": edges}
    bare = {"ops": ["input", "output"], "edges": []}
    dead = {"ops": ["input", *["nor_conv_3x3"] * 5, "none", "output"], "edges": edges[:3]}
    path = write(tmp_path / "g.jsonl", {"ops": ops, "edges": edges}, nothing, bare, dead)
    with pytest.warns(UserWarning, match="Name the space"):
        table = read_graphs(path)
    assert table.space == space
    assert len(set(table.hashes.tolist())) == 1  # none of the four computes anything
    text = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    cell = space.support.from_text(text)
    path = write(tmp_path / "g.jsonl", {"ops": list(cell.operations), "edges": cell.edges})
    assert read_graphs(path, space).cells[0] == cell


def test_names_of_two_spaces_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    record = {"ops": ["input", "nor_conv_3x3", "output"], "edges": [[0, 1], [1, 2]]}
    path.write_text(json.dumps(record))
    with pytest.warns(UserWarning, match=r"'nasbench201', and also of transnasbench101; it is"):
        assert read_graphs(path).space.name == "nasbench201"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_graphs(path, find_space("transnasbench101")).space.name == "transnasbench101"
        path.write_text(json.dumps({**record, "ops": ["input", "avg_pool_3x3", "output"]}))
        assert read_graphs(path).space.name == "nasbench201"


def test_large_graphs_are_not_written_to_padded_tables(tmp_path: Path) -> None:
    record = {"ops": ["a"] * 128, "edges": [[0, 127]]}
    table = read_graphs(write(tmp_path / "g.jsonl", record))
    with pytest.raises(TableError, match="at most 127 vertices a graph and operations"):
        table.save(tmp_path / "g.hdf5")
    assert not (tmp_path / "g.hdf5").exists()


def test_files_with_and_without_a_drawing_to_order_are_equal(tmp_path: Path) -> None:
    """Canonical records alone are read as arrays, with another drawing among them one by one."""
    cells = sample_cells(40, seed=5)
    records = [{"ops": list(c.operations), "edges": c.edges[::-1]} for c in cells]
    drawing = {"ops": ["output", "input"], "edges": [[1, 0]]}
    fast = parse_graphs("f", enumerate(json.dumps(r).encode() for r in records), NASBENCH101)
    slow = parse_graphs(
        "f", enumerate(json.dumps(r).encode() for r in [*records, drawing]), NASBENCH101
    )
    assert fast == slow[:40] == CellArray.from_ragged(cells.ragged, NASBENCH101)
    assert slow[40].operations == ("input", "output")


def test_many_names_of_operations_are_refused(tmp_path: Path) -> None:
    names = [f"op{number}" for number in range(1_001)]
    lines = [json.dumps({"ops": names[i : i + 100], "edges": []}) for i in range(0, 1_001, 100)]
    (tmp_path / "g.jsonl").write_text("\n".join(lines))
    with pytest.raises(TableError, match="has 1,001 names of operations, at most 1,000"):
        read_graphs(tmp_path / "g.jsonl")
