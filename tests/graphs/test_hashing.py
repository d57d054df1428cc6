from __future__ import annotations

from hashlib import md5

import numpy as np

from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.hashing import hash_graph, module_hash, module_hashes
from pyg_nas.spaces.nasbench101 import nasbench101_cells


def _md5(text: str) -> str:
    return md5(text.encode()).hexdigest()


def test_the_two_vertex_cell_by_hand() -> None:
    # (out_degree, in_degree, id) of the input and of the output, then two rounds of
    # in-colours | out-colours | own colour.
    source, target = _md5("(1, 0, -1)"), _md5("(0, 1, -2)")
    for _ in range(2):
        source, target = _md5(f"|{target}|{source}"), _md5(f"{source}||{target}")
    expected = _md5(str(sorted([source, target])))
    assert module_hash(np.array([[0, 1], [0, 0]]), np.array([-1, -2])) == expected


def test_all_real_cells_have_their_official_hash(real_table: Table) -> None:
    # Table.load itself compares only a sample of a table of this size.
    cells = real_table.cells
    computed = module_hashes(cells.adjacency, cells.operations, cells.num_vertices)
    assert len(computed) == 20_001
    np.testing.assert_array_equal(computed, real_table.hashes)


def test_an_early_vertex_more_makes_another_large_graph() -> None:
    # A chain of 200 vertices with one other operation, at either side of its middle.
    chain = np.array([np.arange(199), np.arange(1, 200)])
    hashes = set()
    for place in (99, 100):
        operations = np.zeros(200, dtype=np.int64)
        operations[place] = 1
        hashes.add(hash_graph(chain, operations))
        hashes.add(hash_graph(chain[:, :-1], operations))
    assert len(hashes) == 4


def test_no_cells_have_no_hashes() -> None:
    cells = nasbench101_cells()[:0]
    hashes = module_hashes(cells.adjacency, cells.operations, cells.num_vertices)
    assert hashes.shape == (0,)
    assert hashes.dtype == np.dtype("S32")


def test_the_hash_distinguishes_edge_directions_and_operations() -> None:
    chain = [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    one = Cell(chain, ["input", "conv3x3-bn-relu", "maxpool3x3", "output"])
    other = Cell(chain, ["input", "maxpool3x3", "conv3x3-bn-relu", "output"])
    assert one.hash != other.hash
