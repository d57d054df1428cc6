"""A module is in evaluation mode during a pass, and afterwards as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pyg_nas.spaces.modules import graph_of
from pyg_nas.spaces.modules.evaluation_mode import evaluate
from tests.spaces.modules.torch_modules import IMAGES, Block


def test_the_module_is_left_as_it_was() -> None:
    module = nn.Sequential(Block(), nn.Dropout(0.5))
    module[0].norm.eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    graph = graph_of(module, IMAGES)
    assert "dropout" not in graph.operations
    assert module[1].training
    assert not module[0].norm.training
    assert not module[0].first._forward_hooks
    assert not module[0].first._forward_pre_hooks
    after = module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.grad is None for parameter in module.parameters())


class Keeping(nn.Linear):
    """Keeps results, and makes a parameter when it first runs."""

    kept: Any = None

    def __init__(self) -> None:
        super().__init__(6, 2)
        self.all: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.kept = super().forward(x)
        self.all.append(self.kept)
        self.scale = nn.Parameter(torch.ones(2))
        return self.kept * self.scale


def test_what_a_pass_keeps_is_removed() -> None:
    module = Keeping()
    assert graph_of(module, IMAGES).operations == ("input", "linear", "mul", "output")
    assert module.kept is None
    assert module.all == []
    assert len(list(module.parameters())) == 2
    assert torch.isfinite(module(IMAGES)).all()
    assert graph_of(nn.DataParallel(nn.Linear(6, 2)), IMAGES).parameters == 14


class Places(nn.Module):
    """Has plain tensors, which are no buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.places = torch.arange(6)
        self.tables = [torch.ones(6), torch.ones(6)]
        self.by_name = {"scale": torch.ones(6)}
        self.layer = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x + self.places) * self.tables[1] * self.by_name["scale"]


def test_plain_tensors_of_a_module_without_memory_are_constants() -> None:
    with torch.device("meta"):
        module = Places()
    before = dict(vars(module))
    graph, expected = graph_of(module, IMAGES), graph_of(Places(), IMAGES)
    vertices, wanted = ([replace(v, settings="") for v in g.vertices] for g in (graph, expected))
    assert vertices == wanted
    assert graph.hash != expected.hash  # the numbers of the constants are not in memory
    assert all(vars(module)[name] is value for name, value in before.items())


def test_a_tensor_that_a_pass_changes_is_left_as_it_was() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = torch.tensor([1.0, 2.0])
            self.register_buffer("steps", torch.tensor([3, 4]))

        def forward(self, x: Tensor) -> Tensor:
            self.count += 1
            self.steps.add_(1)
            return x * self.count.sum() * self.steps.sum()

    module = Counting()
    assert graph_of(module, IMAGES).hash == graph_of(module, IMAGES).hash
    assert module.count.tolist() == [1.0, 2.0]
    assert module.steps.tolist() == [3, 4]


def test_layers_beside_an_exported_program_are_evaluated() -> None:
    program = torch.export.export(nn.Linear(4, 3), (torch.zeros(2, 4),)).module()
    module = nn.Sequential(program, nn.BatchNorm1d(3), nn.Sequential(nn.Dropout()))
    evaluate(module)
    assert [part.training for part in (module[1], module[2], module[2][0])] == [False] * 3
