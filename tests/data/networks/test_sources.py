"""Sources of networks are read one by one, and an error names the network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from pyg_nas.data.networks.reading import read_networks
from pyg_nas.data.networks.sources import built_networks, network_sources
from pyg_nas.errors import NetworkError, NetworksError
from pyg_nas.spaces.modules import graph_of
from pyg_nas.spaces.modules.network_array import NetworkArray
from tests.spaces.modules.networks import random_network

INPUTS = torch.zeros(1, 4)


def build(width: int) -> tuple[nn.Module, torch.Tensor]:
    return nn.Linear(4, width), INPUTS


class Named(nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first + second


def test_graphs_and_modules_in_every_form_of_inputs() -> None:
    graph = random_network(5, seed=0)
    named = {"second": INPUTS, "first": INPUTS}
    added = (Named(), (INPUTS, INPUTS))
    found = read_networks(network_sources([graph, (nn.ReLU(), INPUTS), added, (Named(), named)]))
    graphs = [graph, graph_of(nn.ReLU(), INPUTS), graph_of(Named(), INPUTS, INPUTS)]
    assert found.digest == NetworkArray.from_graphs([*graphs, graphs[2]]).digest


def test_networks_are_built_when_they_are_read() -> None:
    calls, reported = [], []

    def counted(width: int) -> tuple[nn.Module, torch.Tensor]:
        calls.append(width)
        return build(width)

    sources = built_networks(counted, [{"width": 2}, {"width": 3}])
    assert not calls
    graphs = read_networks(sources, lambda done, total: reported.append((calls[-1], done, total)))
    assert graphs.parameters.tolist() == [4 * 2 + 2, 4 * 3 + 3]
    assert reported == [(2, 1, 2), (3, 2, 2)]
    assert [source.name for source in sources] == ["network 0 (width=2)", "network 1 (width=3)"]


def test_files_of_a_folder_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("c.ONNX", "a.onnx", "b/d.onnx", "readme.txt", "._a.onnx"):
        (tmp_path / name).write_text("no network")
    sources = network_sources(tmp_path)
    assert [source.name for source in sources] == ["a.onnx", "b/d.onnx", "c.ONNX"]


def test_what_is_no_file_is_not_left_out(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "a.onnx").symlink_to("elsewhere")
    os.mkfifo(tmp_path / "b.onnx")
    with pytest.raises(NetworksError) as caught:
        read_networks(network_sources(tmp_path))
    link, pipe = caught.value.refused
    assert link.endswith("a.onnx: no such file")
    assert "b.onnx: is a named pipe" in pipe


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"width": "wide"}, r"network 0 \(width='wide'\): the builder: TypeError"),
        ({"height": 1}, r"network 0 \(height=1\): the builder: TypeError"),
        ("wide", "configuration 0 must be a mapping of arguments, got 'wide'"),
    ],
)
def test_an_error_of_a_builder_has_the_configuration(configuration: object, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        read_networks(built_networks(build, [configuration]))


def test_errors_name_the_network(tmp_path: Path) -> None:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ x

    with pytest.raises(
        NetworkError, match=r"^1 of 2 networks cannot be read, repair .*it: network 0: .*matmul"
    ):
        read_networks(network_sources([(Broken(), INPUTS), (nn.ReLU(), INPUTS)]))
    with pytest.raises(NetworkError, match="network 0 must be a NetworkGraph or a pair"):
        network_sources([nn.ReLU()])
    with pytest.raises(NetworkError, match=r"networks must be a folder, or a list .*, got ReLU"):
        network_sources(nn.ReLU())
    with pytest.raises(NetworkError, match=r"the builder must return a pair .*returned a Linear"):
        read_networks(built_networks(lambda: nn.Linear(1, 1), [{}]))
    for nothing in ([], tmp_path):
        with pytest.raises(NetworkError, match=r"there is no network|has no file that ends"):
            network_sources(nothing)
    with pytest.raises(NetworkError, match="is not a folder"):
        network_sources(tmp_path / "missing")
    with pytest.raises(NetworkError, match="there is no configuration"):
        built_networks(build, [])
