"""The processed file of a dataset; the datasets' own tests cover its use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_nas.data.datasets.processed import transforms_text
from pyg_nas.data.networks.dataset import NetworkDataset
from pyg_nas.errors import TableError
from pyg_nas.io.files import atomic_path
from tests.spaces.modules.networks import random_network

GRAPHS = [random_network(size, seed=size) for size in (4, 6, 9)]


def large(graph: Data) -> bool:
    return graph.num_nodes > 4


def reversed_edges(graph: Data) -> Data:
    graph.edge_index = graph.edge_index.flip(0)
    return graph


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    dataset = NetworkDataset(tmp_path, GRAPHS)
    path = Path(dataset.processed_paths[0])
    content = path.read_bytes()
    path.unlink()  # the open dataset stays mapped to it
    path.write_bytes(content[:1000])
    again = NetworkDataset(tmp_path, GRAPHS)
    assert torch.equal(again.x, dataset.x)
    assert again.processed_paths == dataset.processed_paths
    assert again.raw_paths == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    path = Path(NetworkDataset(tmp_path, GRAPHS).processed_paths[0])
    with atomic_path(path) as temporary:
        temporary.write_bytes(path.read_bytes())
    temporary.touch()
    os.utime(temporary, (0, 0))
    NetworkDataset(tmp_path, GRAPHS)
    assert not temporary.exists()
    assert path.exists()


def test_transforms_are_applied_before_saving_and_name_the_file(tmp_path: Path) -> None:
    plain = NetworkDataset(tmp_path, GRAPHS)
    changed = NetworkDataset(tmp_path, GRAPHS, pre_transform=reversed_edges, pre_filter=large)
    assert changed.processed_paths != plain.processed_paths
    assert changed.row.tolist() == [1, 2]
    assert changed.hashes.tolist() == plain.hashes[1:].tolist()
    assert torch.equal(changed[1].edge_index, plain[2].edge_index.flip(0))
    with pytest.raises(TableError, match="pre_filter keeps none of the 3 graphs"):
        NetworkDataset(tmp_path, GRAPHS, pre_filter=lambda graph: False)
    with pytest.raises(TableError, match="pre_transform must return"):
        NetworkDataset(tmp_path, GRAPHS, pre_transform=lambda graph: Batch())


def test_masks_choose_graphs_in_every_form(tmp_path: Path) -> None:
    dataset = NetworkDataset(tmp_path, GRAPHS)
    mask = [True, False, True]
    for form in (mask, np.array(mask), torch.tensor(mask)):
        assert dataset[form].row.tolist() == dataset.copy(form).row.tolist() == [0, 2]
        with pytest.raises(TableError, match="each of the 2 graphs, it has 3"):
            dataset[1:][form]
    assert dataset[np.array([2, 0]), ...].row.tolist() == [2, 0]
    assert dataset.shape == (3, 1)


def test_databases_of_one_root_are_apart(tmp_path: Path) -> None:
    one, two = (NetworkDataset(tmp_path, GRAPHS, labels) for labels in ([1, 2, 3], [4, 5, 6]))
    for dataset, y in ((one, [1, 2, 3]), (two, [4, 5, 6]), (one[1:], [2, 3]), (one, [1, 2, 3])):
        stored = dataset.to_on_disk_dataset(log=False)
        assert [graph.y.item() for graph in stored] == y
    assert len(one[[]].to_on_disk_dataset(log=False)) == 0
    root = str(tmp_path / "disk")
    assert len(one.to_on_disk_dataset(root, log=False)) == 3
    assert len(one.to_on_disk_dataset(root, log=False)) == 3
    for other in (two, one[1:], one[[1, 0, 2]]):
        with pytest.raises(TableError, match="disk: has a database of other graphs"):
            other.to_on_disk_dataset(root, log=False)


def test_a_key_stands_for_the_transforms() -> None:
    assert transforms_text(None, large, None) != transforms_text(None, None, None)
    assert transforms_text(None, large, "a") == transforms_text(None, None, "a")
    assert transforms_text(None, None, "a") != transforms_text(None, None, "b")
