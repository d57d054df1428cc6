"""Networks by a user's builder: seeds, counts, and the first trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from pyg_nas.errors import MeasureError, SpaceError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.own import CellModule, Frozen
from pyg_nas.spaces.own.network import OwnNetworks, trial_cells

SPACE = SearchSpace("networks", ("conv", "norm", "skip"), 4, 5, ("output", "input"))
SIZE = NetworkSize(4, 2, 1, num_labels=3, image_channels=1, image_size=(6, 4))
CELL = Cell.from_edges([(0, 1), (1, 2)], ["input", "conv", "output"], SPACE)
OPERATIONS: dict[str, Any] = {
    "conv": lambda channels: nn.Conv2d(channels, channels, 3, padding=1, groups=2),
    "norm": nn.BatchNorm2d,
    "skip": lambda channels: nn.Identity(),
}
FIXED = torch.full((4, 1, 1, 1), 0.5)


def builder(cell: Cell, task: NetworkSize, fixed: float = 1.0, width: int = 1) -> nn.Module:
    stem = nn.Conv2d(task.image_channels, 4, width, padding=width // 2, bias=False)
    if width == 1:
        stem.weight.data = FIXED * fixed
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, task.num_labels)]
    return nn.Sequential(Frozen(stem), CellModule(cell, OPERATIONS, 4), *head)


def initialized(members: int, *seeds: int) -> Any:
    network = OwnNetworks(SPACE, builder).build(CELL, SIZE, members)
    network.initialize([torch.Generator().manual_seed(seed) for seed in seeds])
    return network.eval()


def test_each_member_is_its_own_network_with_the_weights_of_its_seed() -> None:
    state = torch.random.get_rng_state()
    pair = initialized(2, 5, 6)
    assert torch.equal(torch.random.get_rng_state(), state)
    images = torch.randn(2, 7, 1, 6, 4)
    logits = pair(images)
    assert logits.shape == (2, 7, 3)
    for member, seed in enumerate((5, 6)):
        torch.testing.assert_close(
            initialized(1, seed)(images[member : member + 1])[0], logits[member]
        )
    assert not torch.equal(pair.members[0][4].weight, pair.members[1][4].weight)
    assert torch.equal(pair.members[1][0].module.weight, FIXED)


def test_what_dropout_draws_depends_on_seed_and_step_alone() -> None:
    def dropping(cell: Cell, task: NetworkSize) -> nn.Module:
        return nn.Sequential(builder(cell, task), nn.Dropout(0.5))

    def drawn(step: int | None, *seeds: int) -> torch.Tensor:
        network: Any = OwnNetworks(SPACE, dropping).build(CELL, SIZE, len(seeds))
        network.initialize([torch.Generator().manual_seed(seed) for seed in seeds])
        network.train().step = step
        return (network(torch.ones(len(seeds), 50, 1, 6, 4)) == 0)[..., 0]

    state = torch.random.get_rng_state()
    pair = drawn(3, 5, 6)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(pair[1], drawn(3, 6)[0])
    assert not torch.equal(pair[0], pair[1])
    assert not torch.equal(pair[1], drawn(4, 6)[0])
    # Without a step, as in a training of the user's own, torch's global generator is drawn from.
    assert not torch.equal(drawn(None, 6), drawn(None, 6))


def test_a_network_is_built_on_the_processor_where_a_folder_is_loaded() -> None:
    with torch.device("meta"):
        network = OwnNetworks(SPACE, builder).build(CELL, SIZE)
    assert {weight.device.type for weight in network.parameters()} == {"cpu"}


def test_parameters_and_macs_by_hand() -> None:
    networks = OwnNetworks(SPACE, builder)
    cells = CellArray.from_cells([CELL])
    convolution = 4 * 2 * 9
    assert networks.trainable_parameters(cells, SIZE).tolist() == [convolution + 4 + 4 * 3 + 3]
    assert networks.macs(cells, SIZE).tolist() == [24 * (4 + convolution) + 4 * 3]
    assert networks.macs(cells, replace(SIZE, image_size=(3, 4))).tolist() == [12 * 76 + 12]
    assert networks.least_stem_channels(cells).tolist() == [1]
    assert networks.channel_shares(cells).tolist() == [[1.0, 1.0, 1.0, 0.0]]
    with pytest.raises(SpaceError, match="have no official size"):
        networks.macs(cells)
    with pytest.raises(SpaceError, match="have no official size"):
        networks.build(CELL)


@pytest.mark.parametrize(("vertices", "edges"), [(3, 2), (4, 3), (7, 9)])
def test_every_operation_is_tried(vertices: int, edges: int) -> None:
    space = replace(SPACE, max_vertices=vertices, max_edges=edges)
    cells = trial_cells(space)
    tried = {operation for cell in cells for operation in cell.operations}
    assert tried == set(space.vocabulary)
    assert min(cell.num_vertices for cell in cells) == 2
    assert all(CellArray.from_cells([cell]).first_invalid() is None for cell in cells)


def test_the_fingerprint_follows_layers_and_fixed_weights() -> None:
    def fingerprint(**changes: Any) -> str:
        return OwnNetworks(SPACE, lambda cell, task: builder(cell, task, **changes)).fingerprint(
            SIZE
        )

    first = fingerprint()
    assert OwnNetworks(SPACE, builder).fingerprint(SIZE) == first
    assert fingerprint(fixed=2.0) != first
    assert fingerprint(width=3) != first
    assert fingerprint(width=3) == fingerprint(width=3)


class Halves(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return x.mean((1, 2, 3))[:, None].expand(-1, 3), x


class NotFinite(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log(x - x)


def fails(cell: Cell, task: NetworkSize) -> nn.Module:
    raise KeyError("wide")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (fails, r"network of cell 0100:input,output: building it: KeyError: 'wide' \(test_net.*:"),
        (lambda cell, task: None, "the builder must return a torch.nn.Module, got None"),
        (lambda cell, task: nn.LazyLinear(3), "its weight 'weight' is of a lazy layer"),
        (lambda cell: None, "building it: TypeError"),
        (lambda cell, task: nn.Flatten(), "has no parameter that can be trained"),
        (lambda cell, task: nn.Sequential(nn.Linear(4, 4), Halves()), r"returned tuple"),
        (
            lambda cell, task: nn.Sequential(nn.Flatten(), nn.Linear(24, 3), NotFinite()),
            r"images \[2, 1, 6, 4\]: its outputs are not finite numbers",
        ),
        (
            lambda cell, task: nn.Sequential(nn.Flatten(), nn.Linear(24, 9)),
            r"must map images \[2, 1, 6, 4\] to outputs \[2, 3\], .* it returned \[2, 9\]",
        ),
        (
            lambda cell, task: nn.Sequential(nn.Flatten(), nn.Linear(9, 3)),
            r"images \[2, 1, 6, 4\]: RuntimeError",
        ),
    ],
)
def test_an_invalid_builder_is_refused_before_anything_is_trained(make: Any, why: str) -> None:
    networks = OwnNetworks(SPACE, make)
    with pytest.raises(MeasureError, match=f"space 'networks'.*{why}"):
        networks.fingerprint(SIZE)


def test_an_operation_that_fails_at_a_shape_is_named() -> None:
    def build(cell: Cell, task: NetworkSize) -> nn.Module:
        operations = {**OPERATIONS, "skip": lambda channels: nn.MaxPool2d(3)}
        layers = [nn.Conv2d(1, 4, 1), CellModule(cell, operations, 4), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(96, 3))

    why = r"'networks', .*: operation 'skip' must keep the shape \[4, 6, 4\].* \[4, 2, 1\]"
    with pytest.raises(MeasureError, match=why):
        OwnNetworks(SPACE, build).fingerprint(SIZE)
