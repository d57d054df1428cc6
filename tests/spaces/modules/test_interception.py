"""Functions that are called in different ways, and products that torch does not count."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules import graph_of
from tests.spaces.modules.torch_modules import IMAGES, Function


def test_products_with_vectors_that_torch_does_not_count() -> None:
    matrix, vector = torch.zeros(3, 4), torch.zeros(4)
    for product, macs in (
        (torch.mv, 3 * 4),
        (torch.matmul, 3 * 4),
        (lambda m, v: torch.addmv(torch.zeros(3), m, v), 3 * 4),
        (lambda m, v: torch.dot(m[0], v), 4),
    ):
        assert graph_of(Function(product), matrix, vector).macs == macs


@pytest.mark.filterwarnings("ignore")
def test_packed_weights_are_one_error() -> None:
    layers = nn.Sequential(nn.ReLU(), nn.Linear(6, 2))
    rounded = torch.ao.quantization.quantize_dynamic(layers, {nn.Linear}, dtype=torch.qint8)
    with pytest.raises(NetworkError, match=r"^1: operation 'linear_dynamic': its weights are pac"):
        graph_of(rounded, IMAGES)


class Condition(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Function(lambda x: torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,)))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def test_control_flow_of_tensors_is_one_error() -> None:
    with pytest.raises(NetworkError, match=r"^inner: operation 'cond': control flow of tensors"):
        graph_of(Condition(), torch.zeros(3))


class Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.part = torch.jit.script(nn.Sequential(nn.Linear(6, 5), nn.ReLU()))

    def forward(self, x: Tensor) -> Tensor:
        return self.part(x).sigmoid()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_torchscript_is_recorded_by_the_dispatcher() -> None:
    graph = graph_of(Scripted(), IMAGES)
    assert graph.parameters == 35
    assert graph.macs == 48 * 6 * 5
    assert graph.operations[-3:] == ("relu", "sigmoid", "output")


@torch.library.custom_op("pyg_nas_tests::twice", mutates_args=())
def twice(x: Tensor) -> Tensor:
    return x * 2


twice.register_fake(torch.empty_like)


def test_an_operation_of_a_library_has_one_name() -> None:
    called = (twice, torch.ops.pyg_nas_tests.twice, torch.ops.pyg_nas_tests.twice.default)
    graphs = [graph_of(Function(call), IMAGES) for call in called]
    assert {graph.operations for graph in graphs} == {("input", "twice", "output")}
