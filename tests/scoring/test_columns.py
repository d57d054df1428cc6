"""What is written of each architecture, against cells one by one and the networks themselves."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn, zeros

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.scoring.blocks import Architectures
from pyg_nas.scoring.columns import architecture_columns
from pyg_nas.spaces.modules import NetworkArray, graph_of

SMALL = NetworkSize(8, 2, 1, num_labels=3, image_channels=1, image_size=(8, 8))
ROWS = np.array([5, 0, 3])


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "transnasbench101"])
def test_cells_are_described_one_by_one(name: str) -> None:
    cells = sample_cells(6, seed=1, cells=find_space(name).support.cells())
    columns = architecture_columns(Architectures(cells), ROWS, SMALL)
    assert [text.decode() for text in columns["arch"]] == [cells[r].to_text() for r in ROWS]
    for row, count, parameters in zip(
        ROWS, columns["operations"], columns["parameters"], strict=True
    ):
        cell = cells[int(row)]
        assert count == sum(name not in ("input", "output") for name in cell.operations)
        network = cell.space.support.network.build(cell, SMALL)
        assert parameters == sum(weight.numel() for weight in network.parameters())
    unknown = architecture_columns(Architectures(cells), ROWS)
    assert sorted(unknown) == ["arch", "operations"]


def test_drawings_keep_their_text_and_their_official_parameters() -> None:
    support = find_space("nasbench201").support
    texts = ["|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"]
    drawn = Architectures(support.cells_of_texts(texts), None, texts)
    rows = np.array([0])
    columns = architecture_columns(drawn, rows, support.network.size)
    assert columns["arch"].tolist() == [texts[0].encode()]
    assert columns["operations"].tolist() == [1]  # the 3x3 convolution does not reach the output
    assert columns["parameters"].tolist() == [73_306 + 28_000 + 243_040]
    known = drawn._replace(parameters=np.array([7]))
    assert architecture_columns(known, rows, support.network.size)["parameters"].tolist() == [7]


def test_networks_of_the_users_own_are_built_only_where_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = sample_cells(6, seed=1)
    monkeypatch.setattr(type(cells.space.support), "official_network", None)
    assert "parameters" not in architecture_columns(Architectures(cells), ROWS, SMALL)
    counted = architecture_columns(Architectures(cells), ROWS, SMALL, build=True)["parameters"]
    np.testing.assert_array_equal(counted, cells[ROWS].trainable_parameters(SMALL))


def test_whole_networks_and_plain_graphs() -> None:
    layers = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    networks = NetworkArray.from_graphs(
        [graph_of(nn.Linear(4, 2), zeros(1, 4)), graph_of(layers, zeros(1, 4))]
    )
    named = Architectures(networks, networks.hashes, ["one", "two"])
    columns = architecture_columns(named, np.array([1, 0]))
    assert columns["arch"].tolist() == [b"two", b"one"]
    assert columns["operations"].tolist() == [3, 1]
    assert columns["parameters"].tolist() == [4 * 3 + 3 + 3 * 2 + 2, 4 * 2 + 2]


def test_an_empty_choice_has_every_column() -> None:
    cells: CellArray = sample_cells(3, seed=0)
    columns = architecture_columns(Architectures(cells), np.array([], dtype=np.int64), SMALL)
    assert {name: len(values) for name, values in columns.items()} == {
        "arch": 0, "operations": 0, "parameters": 0,
    }  # fmt: skip
    assert columns["arch"].dtype.kind == "S"
