"""Blocks of every kind of source hold each architecture once, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import SettingsError, SpaceError, TableError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.scoring.blocks import (
    Architectures,
    Block,
    block_size,
    file_blocks,
    generator_blocks,
    open_blocks,
    space_blocks,
    stored_blocks,
)

CELLS = sample_cells(10, seed=3)
SPACE = CELLS.space


def joined(blocks: Sequence[Block]) -> list[bytes]:
    """The hashes of all blocks, whose rows must be the next ones."""
    hashes: list[bytes] = []
    for block in blocks:
        assert block.row == len(hashes)
        architectures = block.read()
        assert len(block) == len(architectures.graphs)
        hashes += architectures.hashes_of(np.arange(len(block))).tolist()
    return hashes


def test_cells_in_memory_keep_their_texts() -> None:
    blocks = list(stored_blocks(Architectures(CELLS, None, [str(n) for n in range(10)]), size=4))
    assert [len(block) for block in blocks] == [4, 4, 2]
    assert joined(blocks) == CELLS.hashes().tolist()
    assert list(blocks[2].read().texts) == ["8", "9"]


def test_only_some_rows_are_copied() -> None:
    architectures = Architectures(CELLS)
    assert architectures.graphs_of(np.arange(10)) is CELLS
    for rows in ([1, 0, *range(2, 10)], [3, 3], list(range(9)), []):
        found = architectures.graphs_of(np.array(rows, dtype=np.int64))
        assert isinstance(found, CellArray)
        assert found.hashes().tolist() == [CELLS[row].hash.encode() for row in rows]


def test_a_space_is_divided_in_its_official_order() -> None:
    space = find_space("transnasbench101")
    blocks = list(space_blocks(space, size=1_000))
    assert [len(block) for block in blocks] == [1_000] * 4 + [96]
    texts = [text for block in blocks for text in block.read().texts]
    assert texts == list(space.support.architecture_texts())


def test_digests_follow_the_limits_of_a_space() -> None:
    spaces = (SearchSpace("own", ("a",), vertices, 9, ("out", "in")) for vertices in (3, 4))
    blocks = [next(space_blocks(space, size=1)) for space in spaces]
    assert blocks[0].digest != blocks[1].digest


def test_lines_of_a_file_are_read_in_blocks(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    lines = [
        json.dumps({"ops": list(c.operations), "edges": np.argwhere(c.adjacency).tolist()})
        for c in CELLS
    ]
    path.write_text("\n\n".join(lines))  # blank lines are no records
    blocks = list(file_blocks(path, SPACE, size=3))
    assert [len(block) for block in blocks] == [3, 3, 3, 1]
    assert joined(blocks) == CELLS.hashes().tolist()
    assert len({block.digest for block in blocks}) == 4
    path.write_text(path.read_text() + '\n{"ops": ["input"], "edges": [[0, 7]]}')
    *_, last = file_blocks(path, SPACE, size=3)
    with pytest.raises(TableError, match=r"g\.jsonl, line 20: edge \[0, 7\]"):
        last.read()


def test_lines_of_large_graphs_are_not_all_in_one_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [{"ops": list(cell.operations), "edges": cell.edges} for cell in CELLS]
    path = tmp_path / "g.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    sizes = [len(line) for line in path.read_bytes().splitlines(keepends=True)]
    monkeypatch.setattr("pyg_nas.scoring.blocks._MOST_LINES_BYTES", sum(sizes[:3]))
    blocks = list(file_blocks(path, SPACE, size=6))
    assert joined(blocks) == CELLS.hashes().tolist()
    assert len(blocks[0]) == 3
    monkeypatch.setattr("pyg_nas.scoring.blocks._MOST_LINES_BYTES", 1)
    assert [len(block) for block in file_blocks(path, SPACE, size=6)] == [1] * 10


@pytest.mark.parametrize("rows_of_a_batch", [3, 10])
def test_an_arrow_file_is_read_in_blocks(tmp_path: Path, rows_of_a_batch: int) -> None:
    arrow = pytest.importorskip("pyarrow")
    columns = {
        "ops": [list(cell.operations) for cell in CELLS],
        "edges": [cell.edge_index.T.tolist() for cell in CELLS],
    }
    table = arrow.table(columns)
    path = tmp_path / "g.arrow"
    with arrow.OSFile(str(path), "wb") as file, arrow.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, rows_of_a_batch)
    blocks = list(open_blocks(str(path), SPACE, size=4))
    assert [len(block) for block in blocks] == [4, 4, 2]
    assert joined(blocks) == CELLS.hashes().tolist()


def test_a_generator_may_mix_cells_and_arrays() -> None:
    def cells() -> Iterator[Cell | CellArray]:
        yield CELLS[0]
        yield CELLS[1]
        yield CELLS[2:9]
        yield CELLS[9]

    blocks = list(generator_blocks(cells, SPACE, size=4))
    assert [len(block) for block in blocks] == [4, 4, 2]
    assert joined(blocks) == CELLS.hashes().tolist()
    adjacency = CELLS.adjacency.copy()
    adjacency[7, 0] = 0
    wrong = CellArray(adjacency, CELLS.operations, CELLS.num_vertices)
    with pytest.raises(SettingsError, match=r"architecture 17 .* every vertex must lie on a path"):
        list(generator_blocks(lambda: [CELLS, wrong], SPACE, size=6))
    with pytest.raises(SettingsError, match="must yield cells or arrays of cells, got int"):
        list(generator_blocks(lambda: [1], SPACE))


@pytest.mark.parametrize("in_arrays", [True, False])
def test_cells_of_large_graphs_are_not_all_joined(
    monkeypatch: pytest.MonkeyPatch, in_arrays: bool
) -> None:
    joined_at_once: list[int] = []
    from_cells = CellArray.from_cells

    def counted(cells: list[Cell], space: SearchSpace) -> CellArray:
        joined_at_once.append(sum(cell.num_vertices for cell in cells))
        return from_cells(cells, space)

    monkeypatch.setattr(CellArray, "from_cells", counted)
    monkeypatch.setattr("pyg_nas.scoring.blocks._MOST_JOINED", 20)
    pairs = [CELLS[i : i + 2] for i in range(0, 10, 2)]
    source: Sequence[Cell | CellArray] = pairs if in_arrays else list(CELLS)
    blocks = list(generator_blocks(lambda: source, SPACE))
    assert joined(blocks) == CELLS.hashes().tolist()
    *full, _ = [int(block.read().graphs.num_vertices.sum()) for block in blocks]
    assert full
    assert all(20 <= vertices < 20 + 2 * 7 for vertices in full)
    assert bool(joined_at_once) != in_arrays
    assert max(joined_at_once, default=0) < 20 + 7


def test_cells_that_share_terms_are_scored_in_larger_blocks() -> None:
    from pyg_nas.predictors.gnn.gcn import GCNRegressor

    small = GCNRegressor(hidden=4, head=4, epochs=1).fit(CELLS, np.arange(10.0))
    assert block_size(small) == 4 * block_size(object()) == 262_144


def test_sources_are_named_by_space_file_or_function(tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text(
        "from pyg_nas.graphs.enumeration import sample_cells\n"
        "def cells():\n    yield from sample_cells(10, seed=3)\n"
    )
    assert joined(list(open_blocks(f"{module}:cells", SPACE))) == CELLS.hashes().tolist()
    assert len(next(open_blocks("transnasbench101", SPACE))) == 4_096
    with pytest.raises(TableError, match="no such file"):
        open_blocks(str(tmp_path / "none.jsonl"), SPACE)
    with pytest.raises(SpaceError, match=r"'foo'.*and a function of yours, as file\.py:function"):
        open_blocks("foo", SPACE)
