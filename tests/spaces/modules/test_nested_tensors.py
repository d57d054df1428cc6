"""Tensors in objects, of transformed functions and without strides."""

from __future__ import annotations

from collections import UserDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from pyg_nas.spaces.modules import graph_of
from tests.spaces.modules.torch_modules import IMAGES, Function


@dataclass
class Found:
    scores: Any
    about: object = None


def test_results_in_objects_are_results() -> None:
    made = (Found, lambda y: UserDict(scores=y), lambda y: {y}, lambda y: [None, {"scores": (y,)}])
    for make in made:
        network = Function(lambda layer, x, make=make: make(layer(x)), nn.Linear(6, 2))
        assert graph_of(network, IMAGES).operations == ("input", "linear", "output")


def test_inputs_in_objects_are_inputs() -> None:
    x, edges = torch.zeros(3, 4), torch.tensor([[0, 1], [1, 2]])

    def convolved(layer: nn.Module, data: Any) -> Tensor:
        return torch.zeros(3, 5).index_add(0, data.edge_index[1], layer(data.x)[data.edge_index[0]])

    found = []
    for data in (Data(x=x, edge_index=edges), SimpleBatch(x, edges)):
        graph = graph_of(Function(convolved, nn.Linear(4, 5)), data)
        found.append(graph.hash)
        assert graph.operations[:2] == ("input", "input")
        assert data.x is x  # the caller's object is not changed
    assert found[0] == found[1]


@dataclass(frozen=True)
class SimpleBatch:
    x: Tensor
    edge_index: Tensor


def test_mapped_functions_and_sparse_tensors() -> None:
    mapped = graph_of(Function(lambda layer, x: torch.vmap(layer)(x), nn.Linear(6, 2)), IMAGES)
    assert mapped.operations == ("input", "linear", "output")
    assert mapped.macs == 48 * 6 * 2
    adjacency = torch.eye(3).to_sparse()
    network = Function(lambda layer, a, x: torch.sparse.mm(a, layer(x)), nn.Linear(4, 2))
    graph = graph_of(network, adjacency, torch.zeros(3, 4))
    assert graph.operations == ("input", "input", "linear", "sparse_mm", "output")
    assert graph.vertices[3].sources == (0, 2)
