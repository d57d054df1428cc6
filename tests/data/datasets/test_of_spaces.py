"""Datasets of the registered spaces."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader

from pyg_nas.data import NASBench101, NASBench201, Table, TransNASBench101
from pyg_nas.data.datasets.dataset import CellDataset
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.errors import SpaceError
from pyg_nas.graphs import Cell, sample_cells
from pyg_nas.spaces.nasbench201 import NASBENCH201, official_texts


@pytest.mark.parametrize(
    ("kind", "graphs", "nodes", "edges", "features"),
    [(NASBench201, 15_625, 6.0, 6.6, 7), (TransNASBench101, 4_096, 5.6, 5.9, 6)],
)
def test_the_statistics_of_the_documentation(
    kind: type, graphs: int, nodes: float, edges: float, features: int, tmp_path: Path
) -> None:
    dataset = kind(tmp_path)
    assert len(dataset) == graphs
    assert dataset.num_features == features
    assert dataset._data.num_nodes / graphs == pytest.approx(nodes, abs=0.05)
    assert dataset._data.num_edges / graphs == pytest.approx(edges, abs=0.05)
    row = f"""* - All architectures
      - {graphs:,}
      - ~{nodes}
      - ~{edges}
      - {features}"""
    assert row in inspect.getdoc(kind)


def test_architectures_come_in_the_official_order(tmp_path: Path) -> None:
    dataset = NASBench201(tmp_path)
    for index in (0, 7, 15_624):
        expected = Cell.from_text(official_texts()[index], NASBENCH201)
        assert dataset.cell(index) == expected == Cell.from_data(dataset[index], NASBENCH201)
    batch = next(iter(DataLoader(dataset, 32)))
    assert batch.num_graphs == 32


def test_labels_come_from_a_table(tmp_path: Path) -> None:
    texts = official_texts()[:5]
    cells = NASBENCH201.support.cells_of_texts(texts)
    metrics = np.full((5, 1, 1, 2, 4), np.nan, dtype=np.float32)
    table = Table(cells, metrics, [200], targets={"latency": np.arange(5.0)}, texts=texts)
    dataset = NASBench201(tmp_path, table, LabelPolicy(metric="latency"))
    assert torch.equal(dataset._data.y, torch.arange(5.0))


def test_cells_of_another_space_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="'nasbench101', not of 'nasbench201'"):
        NASBench201(tmp_path, sample_cells(3, seed=0))
    with pytest.raises(SpaceError, match="'nasbench201', not of 'nasbench101'"):
        NASBench101(tmp_path, NASBENCH201.support.cells()[:3])
    assert not list(tmp_path.rglob("*.pt"))
    CellDataset(tmp_path, sample_cells(3, seed=0))
    with pytest.raises(SpaceError, match="'nasbench101', not of 'nasbench201'"):
        NASBench201(tmp_path, sample_cells(3, seed=0))


@pytest.mark.filterwarnings("ignore:.*Name the space")
def test_a_graph_file_has_cells_of_the_named_space(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    path.write_text('{"ops": ["input", "nor_conv_3x3", "output"], "edges": [[0, 1], [1, 2]]}')
    for _ in range(2):  # in one folder, made and read
        assert TransNASBench101(tmp_path, path).num_features == 6
        assert NASBench201(tmp_path, path).num_features == 7
    with pytest.raises(SpaceError, match="'nasbench201', not of 'nasbench101'"):
        NASBench101(tmp_path, path)
