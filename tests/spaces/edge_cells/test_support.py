"""Spaces of edge cells as guests of equal rank."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import CellError
from pyg_nas.features import cell_features, graph_feature_names
from pyg_nas.graphs import Cell, CellArray, SearchSpace, mutate, neighbours, sample_cells
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.hashing import module_hashes
from pyg_nas.graphs.mutation import Genotype
from pyg_nas.graphs.registry import find_space

SPACES = ("nasbench201", "transnasbench101")


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return find_space(request.param)


def test_all_cells_are_there_once(space: SearchSpace) -> None:
    cells = space.support.cells()
    assert len(cells) == space.support.num_cells == len(set(cells.hashes().tolist()))
    assert cells.first_invalid() is None
    assert space.support.is_whole(cells)
    assert not space.support.is_whole(cells[::-1])
    assert len(sample_cells(20, seed=0, cells=cells)) == 20


def test_hashes_that_are_looked_up_are_those_of_the_graphs(space: SearchSpace) -> None:
    codes = np.random.default_rng(0).integers(0, space.support.edge_cells.num_architectures, 700)
    cells = space.support.cells_of_codes(codes)
    expected = module_hashes(cells.adjacency, cells.operations, cells.num_vertices)
    assert np.array_equal(cells.hashes(), expected)


def test_cells_survive_every_form(space: SearchSpace) -> None:
    support = space.support
    for cell in support.cells()[:: len(support.cells()) // 40]:
        assert Cell.from_text(cell.to_text(), space) == cell
        assert Cell.from_dict(cell.to_dict(), space) == cell
        assert Cell.from_data(cell.to_data(), space) == cell
        assert CellArray.from_cells([cell])[0] == cell


def test_a_cell_of_zero_is_a_cell(space: SearchSpace) -> None:
    cell = space.support.cell_of_code(0)
    assert (cell.operations, cell.edges) == (("input", "output"), [])
    array = CellArray.from_cells([cell])
    assert array.first_invalid() is None
    assert np.isfinite(cell_features(array).groups["graph"]).all()


def test_a_graph_with_none_and_dead_ends_is_its_canonical_form(space: SearchSpace) -> None:
    operations = ["input", "nor_conv_3x3", "none", "skip_connect", "nor_conv_1x1", "output"]
    adjacency = np.zeros((6, 6), dtype=int)
    for source, target in ((0, 1), (1, 5), (0, 2), (2, 5), (0, 3), (0, 4), (3, 5)):
        adjacency[source, target] = 1  # vertex 4 leads nowhere, vertex 2 is none
    cell = Cell(adjacency, operations, space)
    # conv3x3(x) + x: on four nodes it takes two identities to add up two things.
    assert sorted(cell.operations) == ["input", "nor_conv_3x3", "output", *["skip_connect"] * 2]


def test_a_graph_that_no_architecture_draws_is_refused(space: SearchSpace) -> None:
    with pytest.raises(CellError, match=f"not a cell of {space.name!r}: no choice of operations"):
        Cell(np.eye(6, k=1, dtype=int), ["input", *["nor_conv_3x3"] * 4, "output"], space)


def test_rows_that_are_not_canonical_are_found(space: SearchSpace) -> None:
    cells = space.support.cells()[-3:]
    adjacency, operations = cells.adjacency.copy(), cells.operations.copy()
    operations[1, 1] = space.operations.index("none")
    changed = CellArray(adjacency, operations, cells.num_vertices.copy(), space)
    rule = f"it must be the canonical graph of a cell of {space.name!r}"
    assert changed.first_invalid() == (1, rule)
    for compute in (
        changed.trainable_parameters,
        lambda: space.support.to_texts(changed),
        lambda: cell_features(changed),
    ):
        with pytest.raises(CellError, match=f"cell 1: {rule}"):
            compute()


def test_numbers_of_a_cell_do_not_depend_on_the_padding(space: SearchSpace) -> None:
    cells = space.support.cells()
    small = cells[cells.num_vertices <= 5]
    sizes, codes = small.num_vertices, space.support.codes(small)
    for width in (5, 8, 11):
        adjacency = np.zeros((len(small), width, width), dtype=np.int8)
        operations = np.zeros((len(small), width), dtype=np.int8)
        adjacency[:, :5, :5], operations[:, :5] = (
            small.adjacency[:, :5, :5],
            small.operations[:, :5],
        )
        padded = CellArray(adjacency, operations, sizes, space)
        assert padded.first_invalid() is None
        assert np.array_equal(space.support.codes(padded), codes)
        assert np.array_equal(padded.trainable_parameters(), small.trainable_parameters())


@given(st.data())
def test_mutants_are_one_operation_and_one_class_away(data: st.DataObject) -> None:
    space = find_space(data.draw(st.sampled_from(SPACES)))
    edge_cells = space.support.edge_cells
    code = data.draw(st.integers(0, edge_cells.num_architectures - 1))
    rng = np.random.default_rng(data.draw(st.integers(0, 100)))
    parent = Genotype.of_cell(space.support.cell_of_code(code), rng)
    child = mutate(parent, rng)
    assert child.cell != parent.cell
    assert Genotype.from_dict(child.to_dict(), space).cell == child.cell


def test_neighbours_are_mutual(space: SearchSpace) -> None:
    cell = space.support.cells()[-1]
    near = neighbours(cell)
    assert len(near) == len(set(near)) > 10
    assert cell not in near
    assert all(cell in neighbours(other) for other in near[:5])


def test_networks_have_the_parameters_that_the_formula_gives(space: SearchSpace) -> None:
    size = NetworkSize(4, 2, 1, num_labels=3, image_size=(8, 8))
    network = space.support.network
    cells = space.support.cells()[:: len(space.support.cells()) // 5]
    counted = network.trainable_parameters(cells, size)
    for cell, parameters in zip(cells, counted.tolist(), strict=True):
        module = network.build(cell, size, members=2)
        module.initialize([torch.Generator().manual_seed(seed) for seed in (0, 1)])
        assert sum(p.numel() for p in module.parameters()) == 2 * parameters
        assert module(torch.randn(2, 3, 3, 8, 8)).shape == (2, 3, 3)


def test_features_are_named_and_finite(space: SearchSpace) -> None:
    cells = space.support.cells()[::50]
    features = cell_features(cells)
    names = graph_feature_names(space)
    assert features.groups["graph"].shape == (len(cells), len(names))
    assert all(np.isfinite(group).all() for group in features.groups.values())
    column = features.groups["graph"][:, names.index("log parameters")]
    assert np.allclose(column, np.log(cells.trainable_parameters()), atol=1e-4)


def test_a_table_of_the_space_is_saved_and_read(space: SearchSpace, tmp_path) -> None:
    cells = space.support.cells()[:30]
    metrics = np.full((30, 1, 1, 2, 4), 0.5, dtype=np.float32)
    table = Table(cells, metrics, budgets=[1], about={"task": "made up"})
    table.save(tmp_path / "t.hdf5")
    loaded = Table.load(tmp_path / "t.hdf5")
    assert loaded.space == space
    assert loaded.cells == cells
    assert np.array_equal(loaded.trainable_parameters, cells.trainable_parameters())
