from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import CellError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101.network_size import (
    channel_shares,
    parameters_of_channels,
    trainable_parameters,
    vertex_channels,
)

# What all networks share: the 3x3 stem of 3 -> 128 channels with batch norm, and the dense layer
# of 512 -> 10 with bias.
STEM = 9 * 3 * 128 + 2 * 128
DENSE = 512 * 10 + 10
# Per cell of the three stacks (channels in, channels out).
CELLS = [(128, 128)] * 3 + [(128, 256)] + [(256, 256)] * 2 + [(256, 512)] + [(512, 512)] * 2
# 1x1 projections with batch norm from the input, at the output's channels.
PROJECTIONS = sum(a * b + 2 * b for a, b in CELLS)


def _channels(edges: list[tuple[int, int]], vertices: int, outgoing: int) -> list[int]:
    operations = ["input", *["maxpool3x3"] * (vertices - 2), "output"]
    cells = CellArray.from_cells([Cell.from_edges(edges, operations)])
    channels = vertex_channels(cells, 16, outgoing)
    assert (channels[0, vertices:] == 0).all()
    return [int(c) for c in channels[0, :vertices]]


def test_the_constants_by_hand() -> None:
    assert STEM == 3_712
    assert DENSE == 5_130
    assert PROJECTIONS == 873_728


def test_input_straight_to_output_is_a_projection_a_cell() -> None:
    assert Cell([[0, 1], [0, 0]], ["input", "output"]).trainable_parameters == 882_570
    assert STEM + PROJECTIONS + DENSE == 882_570


def test_one_inner_vertex_by_hand() -> None:
    chain = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]

    def count(operation: str) -> int:
        return Cell(chain, ["input", operation, "output"]).trainable_parameters

    # 3x3: 3 * (9 * 128^2 + 256) + 3 * (9 * 256^2 + 512) + 3 * (9 * 512^2 + 1024)
    assert count("conv3x3-bn-relu") == 882_570 + 443_136 + 1_771_008 + 7_080_960
    # 1x1: 3 * (128^2 + 256) + 3 * (256^2 + 512) + 3 * (512^2 + 1024)
    assert count("conv1x1-bn-relu") == 882_570 + 49_920 + 198_144 + 789_504
    assert count("maxpool3x3") == 882_570


def test_a_skip_to_the_output_costs_one_more_projection() -> None:
    skip = Cell([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"])
    assert skip.trainable_parameters == 882_570 + PROJECTIONS


def test_output_channels_are_divided_and_the_first_vertices_get_the_rest() -> None:
    edges = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)]
    assert _channels(edges, 5, 128) == [16, 43, 43, 42, 128]
    assert _channels(edges, 5, 129) == [16, 43, 43, 43, 129]
    # An edge from the input to the output is added, not concatenated: it takes no share.
    assert _channels([*edges, (0, 4)], 5, 128) == [16, 43, 43, 42, 128]


def test_a_vertex_that_feeds_no_output_takes_the_largest_of_its_successors() -> None:
    edges = [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)]
    assert _channels(edges, 5, 33) == [16, 17, 17, 16, 33]
    # Two steps back, through a vertex that itself inherits.
    edges = [(0, 1), (1, 2), (2, 3), (2, 4), (3, 5), (4, 5)]
    assert _channels(edges, 6, 33) == [16, 17, 17, 17, 16, 33]
    # A vertex that feeds the output keeps its share, no matter what its other successors have.
    edges = [(0, 1), (0, 2), (1, 3), (2, 3), (2, 4), (3, 4), (1, 4)]
    assert _channels(edges, 5, 32) == [16, 11, 11, 10, 32]


def test_shares_are_channels_that_are_not_rounded() -> None:
    cells = sample_cells(300, seed=2)
    shares = channel_shares(cells)
    many = 60 * 100  # one to six vertices share them evenly
    exact = vertex_channels(cells, many, many)
    np.testing.assert_allclose(shares, exact / many, rtol=1e-12)
    fractional = parameters_of_channels(cells, shares * many)
    whole = parameters_of_channels(cells, exact)
    np.testing.assert_allclose(fractional, whole, rtol=1e-12)


def test_all_real_cells_have_their_official_count(real_table: Table) -> None:
    cells = real_table.cells
    computed = trainable_parameters(cells)
    assert len(computed) == 20_001
    np.testing.assert_array_equal(computed, real_table.trainable_parameters)


def test_another_network_of_the_same_cell() -> None:
    # One stack of two cells, 4 channels, 2 classes, grey images: small enough to write out.
    cell = Cell([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "conv1x1-bn-relu", "output"])
    size = NetworkSize(4, 1, 2, num_labels=2, image_channels=1)
    counted = trainable_parameters(CellArray.from_cells([cell]), size)
    stem, projection, convolution, dense = 9 * 4 + 8, 16 + 8, 16 + 8, 4 * 2 + 2
    assert counted.tolist() == [stem + 2 * (projection + convolution) + dense]


def test_parameters_of_another_space_are_not_made_up() -> None:
    space = SearchSpace("mine", ("a",), 3, 3, ("output", "input"))
    cell = Cell([[0, 1], [0, 0]], ["input", "output"], space)
    with pytest.raises(CellError, match="'mine'"):
        _ = cell.trainable_parameters
