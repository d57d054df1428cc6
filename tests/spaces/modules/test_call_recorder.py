"""Vertices, sources and counts of recorded calls against graphs by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pyg_nas.errors import NetworkError
from pyg_nas.io.user_code import object_named
from pyg_nas.spaces.modules import graph_of
from tests.spaces.modules.torch_modules import IMAGES


def test_fused_kernels_that_torch_does_not_count() -> None:
    # Two directions of two layers: 4 gates of 5, from the inputs and from the 5 hidden numbers.
    lstm = graph_of(nn.LSTM(8, 5, num_layers=2, bidirectional=True), torch.zeros(3, 2, 8))
    assert lstm.macs == 3 * 2 * 2 * 4 * 5 * ((8 + 5) + (10 + 5))
    assert graph_of(nn.GRUCell(8, 5), torch.zeros(2, 8)).macs == 2 * 3 * 5 * (8 + 5)
    # Two rows times three matrices of 8 x 6, and each of the results times the 6 numbers.
    bilinear = graph_of(nn.Bilinear(8, 6, 3), torch.zeros(2, 8), torch.zeros(2, 6))
    assert bilinear.macs == 2 * 3 * (8 * 6 + 6)


class Sharing(nn.Module):
    """x + f(x) with one convolution read twice, or with two convolutions."""

    def __init__(self, *, twice: bool) -> None:
        super().__init__()
        self.one = nn.Conv2d(4, 4, 1)
        self.two = nn.Conv2d(4, 4, 1) if twice else self.one

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.one(x))


def test_shared_weights_count_once() -> None:
    shared, apart = (graph_of(Sharing(twice=twice), IMAGES) for twice in (False, True))
    assert shared.parameters == 20
    assert apart.parameters == 40
    assert [v.weights for v in shared.vertices[1:3]] == [20, 20]
    assert shared.macs == apart.macs


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x.tanh()
        part = y[:, :2]
        part.add_(1.0)
        y.mul_(2.0)
        return y.relu_()


def test_operations_in_place_follow_each_other() -> None:
    graph = graph_of(InPlace(), IMAGES)
    assert graph.operations == ("input", "tanh", "slice", "add", "mul", "relu", "output")
    assert graph.edge_index.T.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 6]]


class Splitting(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        a, b = x.chunk(2, dim=1)
        return a.relu(), {"b": b.sigmoid()}


def test_what_is_assigned_to_a_part_of_a_tensor_is_in_the_graph() -> None:
    class Assigned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            y = self.first(x)
            y[:, 2:] += self.second(x)
            return y.relu()

    module = Assigned()
    graph = graph_of(module, torch.zeros(3, 4))
    assert graph.macs == 3 * (4 * 4 + 4 * 2)
    assert graph.parameters == sum(p.numel() for p in module.parameters())
    assert graph.unused_parameters == 0
    (written,) = (i for i, name in enumerate(graph.operations) if name == "scatter")
    assert graph.vertices[graph.operations.index("relu")].sources == (written,)


def test_several_results_of_an_operation_and_of_the_network() -> None:
    graph = graph_of(Splitting(), IMAGES)
    assert graph.operations == ("input", "split", "relu", "sigmoid", "output")
    assert graph.edge_index.T.tolist() == [[0, 1], [1, 2], [1, 3], [2, 4], [3, 4]]


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_a_nested_tensor_is_refused() -> None:
    ragged = torch.nested.nested_tensor([torch.zeros(2, 4), torch.zeros(3, 4)])
    with pytest.raises(NetworkError, match="nested tensor has no shape"):
        graph_of(nn.Linear(4, 2), ragged)


def test_a_failing_operation_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(NetworkError, match=r"^1: operation 'linear' failed: "):
        graph_of(nn.Sequential(nn.ReLU(), nn.Linear(3, 3)), IMAGES)
    assert not caplog.text


_FAILING = """
from torch import nn

class Failing(nn.Module):
    def __init__(self, fault):
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.fault = fault

    def forward(self, x):
        x = self.inner(x)
        if self.fault == "key":
            return {}["weights"]
        if self.fault == "width":
            assert x.shape[1] == 5
        if self.fault == "view":
            return x.view(3, -1)
        if x.sum() > 0:
            return x
"""


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("key", "the network: {file}, line 13: KeyError: 'weights'"),
        ("width", "the network: {file}, line 15: AssertionError"),
        ("view", "the network: operation 'view' failed in {file}, line 17: shape "),
        ("", "the network: operation '__bool__' failed in {file}, line 18: the result depends on "),
    ],
)
def test_the_line_of_a_failing_module_is_named(fault: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / f"failing_{fault or 'branch'}.py"
    file.write_text(_FAILING)
    with pytest.raises(NetworkError, match=f"^{re.escape(message.format(file=file.name))}"):
        graph_of(object_named(f"{file}:Failing")(fault), torch.zeros(2, 4))


class FailingBetween(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise KeyError(x.shape[0])


def test_an_error_between_operations_names_no_operation() -> None:
    with pytest.raises(NetworkError, match=r"^1: KeyError: 2$"):
        graph_of(nn.Sequential(nn.ReLU(), FailingBetween()), IMAGES)


class NoTensor(nn.Module):
    def forward(self, x: Tensor) -> int:
        return x.shape[0]


def test_a_network_without_a_result() -> None:
    with pytest.raises(NetworkError, match=r"must return a tensor .* got a int"):
        graph_of(NoTensor(), IMAGES)


def test_a_lazy_module_is_named() -> None:
    with pytest.raises(NetworkError, match=r"parameter 'weight' of a lazy module"):
        graph_of(nn.LazyLinear(3), IMAGES)


class Constants(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6))
        self.spare = nn.Parameter(torch.ones(7))
        self.register_buffer("places", torch.arange(6.0))

    def forward(self, x: Tensor) -> Tensor:
        table = torch.arange(6.0).sin() + self.places
        x.cos()  # leads nowhere
        return x * (self.scale.exp() + table)


def test_constants_and_dead_ends_are_left_out_and_unused_parameters_counted() -> None:
    graph = graph_of(Constants(), IMAGES)
    assert sorted(graph.operations) == ["add", "input", "mul", "output", "power"]
    assert graph.unused_parameters == 7
    assert graph.parameters == 13
