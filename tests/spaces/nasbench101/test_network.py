"""The network against the official parameter counts and a plain member-by-member reading."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import MeasureError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101.network import ConvBnRelu, Network
from pyg_nas.spaces.nasbench101.network_size import vertex_channels
from tests.measure.conftest import chain

SMALL = NetworkSize(4, 2, 1, num_labels=5, image_channels=2)
CONV3, CONV1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"


def official_size(cell: Cell) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Network(cell).parameters())


def test_parameters_of_random_cells_are_the_official_ones():
    for cell in sample_cells(300, seed=5):
        assert official_size(cell) == cell.trainable_parameters, cell.hash


def test_parameters_are_those_that_nasbench101_recorded(real_table: Table):
    """Independent of our own formula: the counts in the real table are Google's."""
    for row in range(0, len(real_table), 400):
        assert official_size(real_table.cells[row]) == real_table.trainable_parameters[row]


def channels_of(cell: Cell, input_channels: int, output_channels: int) -> list[int]:
    alone = CellArray.from_cells([cell])
    channels = vertex_channels(alone, input_channels, output_channels)[0]
    return channels[: cell.num_vertices].tolist()


def test_channels_that_a_predecessor_has_more_of_are_cut_off():
    # 1 -> output and 1 -> 2 -> output with 3 channels: 2 for vertex 1, 1 for vertex 2.
    cell = Cell(
        [[0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0] * 4], ["input", CONV1, CONV1, "output"]
    )
    assert channels_of(cell, 3, 3) == [3, 2, 1, 3]
    network = Network(cell, NetworkSize(3, 1, 1, num_labels=2))
    network.initialize([torch.Generator().manual_seed(0)])
    assert network(torch.randn(1, 5, 3, 4, 4)).shape == (1, 5, 2)


def test_too_few_channels_for_the_vertices_that_are_concatenated():
    # Two inner vertices, both feeding the output.
    cell = Cell(
        [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0] * 4], ["input", CONV1, CONV3, "output"]
    )
    message = f"cell {cell.hash}: 1 channels are too few for the 2 vertices"
    with pytest.raises(MeasureError, match=message):
        Network(cell, NetworkSize(1, 1, 1))
    Network(cell, NetworkSize(2, 1, 1))


def convolve(module: ConvBnRelu, x: Tensor, channels: slice = slice(None)) -> Tensor:
    """Reads a single-member convolution the textbook way, ``[B, C, H, W]`` in float64."""
    weight = module[0].weight.double()[channels]
    y = functional.conv2d(x, weight, padding=weight.shape[-1] // 2)
    mean = y.mean((0, 2, 3), keepdim=True)
    variance = ((y - mean) ** 2).mean((0, 2, 3), keepdim=True)
    y = (y - mean) / (variance + 1e-5).sqrt()
    scale, shift = module[1].scale.double()[channels], module[1].shift.double()[channels]
    return (y * scale[:, None, None] + shift[:, None, None]).clamp(min=0)


def reference(network: Network, cell: Cell, images: Tensor) -> Tensor:
    """The network of NAS-Bench-101 by its paper, for 2 stacks of 1 cell and 4 channels."""
    stem, first, _, second = network.layers
    x = convolve(stem, images.double())
    last = cell.num_vertices - 1
    for stack, module in enumerate((first, second)):
        if stack:
            x = functional.max_pool2d(x, 2)
        channels = channels_of(cell, x.shape[1], 4 * 2**stack)
        begin, projected = 0, {}
        for v in range(1, last + 1):
            if cell.adjacency[0, v]:
                projected[v] = convolve(module.projection, x, slice(begin, begin + channels[v]))
                begin += channels[v]
        values = {}
        for v in range(1, last):
            total = sum(values[u][:, : channels[v]] for u in range(1, v) if cell.adjacency[u, v])
            total = total + projected.get(v, 0)
            if cell.operations[v] == POOL:
                values[v] = functional.max_pool2d(total, 3, stride=1, padding=1)
            else:
                values[v] = convolve(module.operations[v - 1], total)
        feeding = [values[u] for u in range(1, last) if cell.adjacency[u, last]]
        x = torch.cat(feeding, 1) if feeding else torch.zeros(())
        x = x + projected.get(last, 0)
    return x.mean((2, 3)) @ network.dense.weight[0].double() + network.dense.bias[0].double()


CELLS = [
    chain(),
    chain(CONV3),
    chain(POOL, CONV1),
    # The input feeds the output, whose channels do not divide evenly among three vertices.
    Cell(
        [[0, 1, 1, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 1], [0] * 5],
        ["input", CONV3, POOL, CONV1, "output"],
    ),
    *sample_cells(6, seed=11),
]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.hash[:8])
def test_output_is_that_of_a_plain_float64_reading(cell: Cell):
    network = Network(cell, SMALL)
    network.initialize([torch.Generator().manual_seed(3)])
    images = torch.randn(6, 2, 8, 8, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, ConvBnRelu):
                module[1].scale.uniform_(0.5, 1.5)
                module[1].shift.uniform_(-0.5, 0.5)
        measured = network(images[None])[0]
        expected = reference(network, cell, images)
    torch.testing.assert_close(measured.double(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.hash[:8])
def test_members_do_not_see_each_other(cell: Cell):
    """Outputs, gradients and running statistics of stacked members are those of lone ones."""
    members = 3
    seeds = range(members)
    # float64: a ReLU that rounding switches the other way would change a gradient by more than
    # rounding.
    images = torch.randn(members, 6, 2, 8, 8, generator=torch.Generator().manual_seed(4)).double()
    stacked = Network(cell, SMALL, members)
    stacked.initialize([torch.Generator().manual_seed(seed) for seed in seeds])
    stacked.double()
    logits = stacked(images)
    logits.square().sum().backward()
    for member in seeds:
        alone = Network(cell, SMALL)
        alone.initialize([torch.Generator().manual_seed(member)])
        alone.double()
        lone_logits = alone(images[member : member + 1])
        lone_logits.square().sum().backward()
        torch.testing.assert_close(logits[member], lone_logits[0])
        for (name, together), lone in zip(
            stacked.named_parameters(), alone.parameters(), strict=True
        ):
            shared = together.grad.chunk(members)[member].reshape(lone.shape)
            torch.testing.assert_close(shared, lone.grad, msg=name)
        for together, lone in zip(stacked.buffers(), alone.buffers(), strict=True):
            torch.testing.assert_close(together.chunk(members)[member], lone)


def test_a_member_that_is_nan_leaves_the_others_as_they_are():
    cell = CELLS[3]
    network = Network(cell, SMALL, members=2)
    network.initialize([torch.Generator().manual_seed(seed) for seed in range(2)])
    images = torch.randn(2, 6, 2, 8, 8)
    before = network(images)[0]
    with torch.no_grad():
        network.layers[0][0].weight[4:] = float("nan")
    after = network(images)
    assert torch.isnan(after[1]).all()
    assert torch.equal(after[0], before)


def test_initial_weights_have_the_official_distribution():
    """Variance 1 / fan-in, cut off at two standard deviations of the normal that is cut."""
    network = Network(chain(CONV3), NetworkSize(64, 1, 1))
    network.initialize([torch.Generator().manual_seed(0)])
    weight = network.layers[1].operations[0][0].weight
    expected = (64 * 9) ** -0.5
    assert weight.std().item() == pytest.approx(expected, rel=0.02)
    assert weight.abs().max().item() <= 2 * expected / 0.8796 * 1.0001
    assert network.dense.weight.abs().max().item() <= (6 / (64 + 10)) ** 0.5


def test_an_operation_of_another_space_is_refused():
    space = SearchSpace("foreign", ("sep_conv_3x3",), 7, 9, ("output", "input"))
    cell = Cell(np.eye(3, k=1, dtype=np.int8), ["input", "sep_conv_3x3", "output"], space)
    with pytest.raises(MeasureError, match="sep_conv_3x3"):
        Network(cell)
