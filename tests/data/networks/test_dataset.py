"""Whole networks as a PyG dataset, compared with their graphs and with PyG's own batches."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.data import Batch

from pyg_nas.data.datasets.loader import CollatedLoader
from pyg_nas.data.networks.dataset import NetworkDataset
from pyg_nas.data.protocols.folds import stratified_folds
from pyg_nas.errors import NetworkError, TableError
from tests.spaces.modules.networks import random_network

SIZES = (300, 5, 40, 5)
GRAPHS = [random_network(size, seed=size) for size in SIZES]  # the second and fourth are equal
LABELS = [0.5, 1.5, np.nan, 2.5]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> NetworkDataset:
    return NetworkDataset(tmp_path_factory.mktemp("networks"), iter(GRAPHS), LABELS)


def build(width: int) -> tuple[nn.Module, torch.Tensor]:
    return nn.Sequential(nn.Linear(4, width), nn.ReLU()), torch.zeros(1, 4)


def test_graphs_are_those_of_to_data(dataset: NetworkDataset) -> None:
    assert len(dataset) == 4
    for number, graph in enumerate(GRAPHS):
        found, wanted = dataset[number], graph.to_data()
        assert torch.equal(found.x, wanted.x)
        assert torch.equal(found.edge_index, wanted.edge_index)
        assert found.parameters.tolist() == [wanted.parameters]
        assert found.macs.tolist() == [wanted.macs]
        assert found.row.tolist() == [number]
    np.testing.assert_array_equal(dataset.y.numpy(), np.float32(LABELS))


def test_batches_are_those_of_pyg(dataset: NetworkDataset) -> None:
    (batch,) = CollatedLoader(dataset, batch_size=4)
    wanted = Batch.from_data_list([dataset[number] for number in range(4)])
    for name in ("x", "edge_index", "batch", "ptr", "parameters", "row"):
        assert torch.equal(batch[name], wanted[name]), name


def test_parts_and_copies_keep_what_belongs_to_their_graphs(dataset: NetworkDataset) -> None:
    for part in (dataset[[2, 0]], dataset.copy([2, 0])):
        assert part.hashes.tolist() == [GRAPHS[2].hash.encode(), GRAPHS[0].hash.encode()]
        assert part.names == ["network 2", "network 0"]
        assert part.networks.parameters.tolist() == [GRAPHS[2].parameters, GRAPHS[0].parameters]
        np.testing.assert_array_equal(np.diff(part.networks.vertex_ptr), [40, 300])
    assert dataset.networks is dataset.networks


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_equal_graphs_are_in_one_fold(dataset: NetworkDataset) -> None:
    assert dataset.hashes[1] == dataset.hashes[3]
    for train, held_out in stratified_folds(np.arange(4.0), folds=2, hashes=dataset.hashes):
        assert not set(dataset.hashes[train]) & set(dataset.hashes[held_out])


def test_the_file_is_read_again_and_named_by_graphs_and_labels(
    tmp_path: Path, dataset: NetworkDataset
) -> None:
    again = NetworkDataset(dataset.root, GRAPHS, LABELS)
    assert again.processed_paths == dataset.processed_paths
    others = [
        NetworkDataset(tmp_path, graphs, labels).processed_file_names
        for graphs, labels in ((GRAPHS, None), (GRAPHS[::-1], LABELS), (GRAPHS, [0, 1, 2, 3]))
    ]
    assert len({dataset.processed_file_names[0], *(name for (name,) in others)}) == 4


def test_the_file_has_nothing_that_is_unpickled(dataset: NetworkDataset) -> None:
    content = torch.load(dataset.processed_paths[0], weights_only=True)
    assert content["class"] == "torch_geometric.data.data.Data"


def test_a_key_stands_for_the_networks(tmp_path: Path) -> None:
    built = []

    def counted(width: int) -> tuple[nn.Module, torch.Tensor]:
        built.append(width)
        return build(width)

    def make(key: str | None) -> NetworkDataset:
        configurations = [{"width": 2}, {"width": 3}]
        return NetworkDataset.from_builder(tmp_path, counted, configurations, source_key=key)

    assert make("a").parameters.tolist() == make("a").parameters.tolist() == [10, 15]
    assert built == [2, 3]
    make("b")
    make(None)
    make(None)
    assert built == [2, 3] * 4
    assert make("a").names == ["network 0 (width=2)", "network 1 (width=3)"]


def test_a_folder_of_onnx_files(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    folder = tmp_path / "files"
    folder.mkdir()

    def save(name: str, operator: str) -> None:
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")
        ]
        node = helper.make_node(operator, ["x"], ["y"])
        onnx.save(
            helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:])), folder / name
        )

    save("a.onnx", "Relu")
    save("b.onnx", "Tanh")
    dataset = NetworkDataset(tmp_path, folder, labels={"b.onnx": 3.0})
    assert dataset.names == ["a.onnx", "b.onnx"]
    np.testing.assert_array_equal(dataset.y.numpy(), [np.nan, 3.0])
    save("a.onnx", "Sigmoid")
    changed = NetworkDataset(tmp_path, folder, labels={"b.onnx": 3.0})
    assert changed.hashes[0] != dataset.hashes[0]
    assert changed.hashes[1] == dataset.hashes[1]
    save(os.fsdecode(b"caf\xe9.onnx"), "Relu")  # a name that is no UTF-8
    for _ in range(2):  # written and read
        assert NetworkDataset(tmp_path, folder).names == ["a.onnx", "b.onnx", "caf\udce9.onnx"]
    (folder / "b.onnx").write_bytes(b"no network")
    with pytest.raises(NetworkError, match=r"remove it: \S*/b\.onnx: cannot be read"):
        NetworkDataset(tmp_path, folder)
    with pytest.raises(TableError, match=r"no network has the name 'c\.onnx'"):
        NetworkDataset(tmp_path, folder, labels={"c.onnx": 1.0})


def test_labels_are_those_of_the_selected_networks(tmp_path: Path) -> None:
    dataset = NetworkDataset(tmp_path, GRAPHS, [0.5, np.nan, 0.25, 1.0])
    np.testing.assert_array_equal(dataset.labels, [0.5, np.nan, 0.25, 1.0])
    np.testing.assert_array_equal(dataset[[3, 1]].labels, [1.0, np.nan])
    assert NetworkDataset(tmp_path / "plain", GRAPHS).labels is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1.0], r"one number per network, \[4\], got \[1\]"),
        ([1, 2, np.inf, 3], "numbers or NaN, got inf for network 2"),
        (["a", "b", "c", "d"], "must be numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: list, message: str) -> None:
    with pytest.raises(TableError, match=message):
        NetworkDataset(tmp_path, GRAPHS, labels)
    assert not list(tmp_path.rglob("*.pt"))
