from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset
from torch_geometric.transforms import AddSelfLoops

from pyg_nas.data.datasets.loader import CollatedLoader
from pyg_nas.data.datasets.of_spaces import NASBench101
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError


@pytest.fixture
def dataset(tmp_path: Path, small_table: Table) -> NASBench101:
    return NASBench101(tmp_path, small_table)


def assert_same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    if isinstance(expected, Tensor):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert torch.equal(found.to_dense(), expected.to_dense())
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected


def assert_same_batch(found: Batch, expected: Batch) -> None:
    assert type(found) is type(expected)
    assert found.num_graphs == expected.num_graphs
    assert found.num_nodes == expected.num_nodes
    assert_same(found.to_dict(), expected.to_dict())
    assert_same(found._slice_dict, expected._slice_dict)
    assert_same(found._inc_dict, expected._inc_dict)
    for one, other in zip(found.to_data_list(), expected.to_data_list(), strict=True):
        assert_same(one.to_dict(), other.to_dict())


class Pair(Data):
    """Two graphs in one, as in PyG's tutorial on advanced mini-batching."""

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if key == "edge_index_s":
            return self.x_s.size(0)
        if key == "links":
            return torch.tensor([[self.x_s.size(0)], [self.num_nodes]])
        return super().__inc__(key, value, *args, **kwargs)

    def __cat_dim__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if key == "signature":
            return None
        if key == "links":
            return 1
        return super().__cat_dim__(key, value, *args, **kwargs)


def pairs(n: int = 23) -> list[Data]:
    generator = torch.Generator().manual_seed(3)

    def whole(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=generator)

    graphs = []
    for number in range(n):
        v, s = 1 + number % 5, 1 + number % 3
        graphs.append(
            Pair(
                x=torch.rand(v, 4, generator=generator),
                edge_index=whole(v, 2, number % 4),
                edge_attr=torch.rand(number % 4, 2, generator=generator).double(),
                x_s=torch.rand(s, 2, generator=generator),
                edge_index_s=whole(s, 2, 3).int(),
                links=torch.stack([whole(s, 2), whole(v, 2)]),
                signature=torch.rand(3, 2, generator=generator),
                face=whole(v, 3, number % 3),
                small_index=whole(v, 2).int(),
                scalar=torch.tensor(float(number)),
                number=number,
                fraction=number / 7,
                flags=whole(2, v).bool(),
                name=f"graph {number}",
                nothing=None,
            )
        )
    return graphs


@pytest.mark.parametrize("batch_size", [1, 2, 5, 23, 100])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_of_mixed_attributes(batch_size: int, drop_last: bool) -> None:
    data, slices = InMemoryDataset.collate(pairs())
    # What the dataset hands out, not what went in: numbers come back as tensors.
    graphs = Listed(data, slices)
    loader = CollatedLoader((data, slices), batch_size, drop_last=drop_last)
    batches = list(loader)
    kept = 23 - 23 % batch_size if drop_last else 23
    assert len(batches) == len(loader) == -(-kept // batch_size)
    for number, batch in enumerate(batches):
        stop = min((number + 1) * batch_size, kept)
        expected = Batch.from_data_list([graphs[i] for i in range(number * batch_size, stop)])
        assert_same_batch(batch, expected)


class Listed(InMemoryDataset):
    def __init__(self, data: Any, slices: Any) -> None:
        super().__init__()
        self.data, self.slices = data, slices


def test_hetero_data() -> None:
    graphs = []
    for n in range(1, 9):
        graph = HeteroData(y=torch.tensor([n]))
        graph["cell"].x = torch.rand(n, 3)
        graph["task"].x = torch.rand(2, 1)
        graph["cell", "solves", "task"].edge_index = torch.stack(
            [torch.arange(n), torch.arange(n) % 2]
        )
        graphs.append(graph)
    collated = InMemoryDataset.collate(graphs)
    for batch, start in zip(CollatedLoader(collated, 3), range(0, 8, 3), strict=True):
        assert_same_batch(batch, Batch.from_data_list(graphs[start : start + 3]))


# PyG warns of graphs from which it must guess the number of vertices; those are the cases here.
@pytest.mark.filterwarnings("ignore:Unable to accurately infer 'num_nodes':UserWarning")
@pytest.mark.parametrize(
    "graphs",
    [
        pytest.param(
            [Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2 + n) for n in range(5)],
            id="num_nodes",
        ),
        pytest.param(
            [Data(node_kind=torch.arange(n), edge_index=torch.zeros(2, 1).long()) for n in (1, 3)],
            id="node in a name",
        ),
        pytest.param(
            [Data(edge_index=torch.tensor([[0, n], [n, 0]])) for n in (1, 3, 2)], id="edges only"
        ),
        pytest.param([Data(y=torch.rand(1, 2)) for _ in range(4)], id="no vertices"),
        pytest.param(
            [Data(x=torch.rand(2, 1), my_batch=torch.tensor([0, n])) for n in (1, 0, 4)],
            id="batch in a name",
        ),
        pytest.param(
            [Data(x=torch.rand(n, 1), d={"a": torch.rand(n)}) for n in (1, 2, 3)], id="dict"
        ),
        pytest.param([Data(x=torch.rand(3, 2), edge_index=torch.zeros(2, 0).long())], id="single"),
    ],
)
def test_other_shapes_of_data(graphs: list[Data]) -> None:
    if len(graphs) == 1:
        listed = Listed(*InMemoryDataset.collate(graphs))
        batches = list(CollatedLoader(listed, 2))
    else:
        batches = list(CollatedLoader(InMemoryDataset.collate(graphs), 2))
    for number, batch in enumerate(batches):
        assert_same_batch(batch, Batch.from_data_list(graphs[2 * number : 2 * number + 2]))


def test_cells_and_parts_of_a_dataset(dataset: NASBench101) -> None:
    for part in (
        dataset,
        dataset[np.array([7, 3, 150, 3])],
        dataset[5:60:2],
    ):
        for number, batch in enumerate(CollatedLoader(part, 16)):
            expected = Batch.from_data_list(
                [part[i] for i in range(16 * number, min(16 * number + 16, len(part)))]
            )
            assert_same_batch(batch, expected)


def test_blocks_join_without_a_seam(dataset: NASBench101, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(CollatedLoader(dataset, 7))
    monkeypatch.setattr("pyg_nas.data.datasets.loader._BLOCK_GRAPHS", 15)
    for one, other in zip(CollatedLoader(dataset, 7), whole, strict=True):
        assert_same_batch(one, other)


def test_shuffling_is_seeded_and_covers_all_graphs(dataset: NASBench101) -> None:
    def epochs(seed: int) -> list[list[int]]:
        loader = CollatedLoader(dataset, 32, shuffle=True, generator=seed)
        return [[r for batch in loader for r in batch.row.tolist()] for _ in range(2)]

    first, second = epochs(0)
    assert sorted(first) == sorted(second) == list(range(300))
    assert first != second
    assert epochs(0) == [first, second]
    assert epochs(1)[0] != first


def test_shuffled_batches_have_the_right_graphs(dataset: NASBench101) -> None:
    for batch in CollatedLoader(dataset, 64, shuffle=True, generator=5):
        expected = Batch.from_data_list([dataset[row] for row in batch.row.tolist()])
        assert_same_batch(batch, expected)


def test_transforms_are_applied(tmp_path: Path, small_table: Table) -> None:
    dataset = NASBench101(tmp_path, small_table, transform=AddSelfLoops())[:20]
    batch = next(iter(CollatedLoader(dataset, 20)))
    assert_same_batch(batch, Batch.from_data_list([dataset[i] for i in range(20)]))
    assert batch.num_edges > sum(cell.num_edges for cell in dataset.cells)


def test_a_batch_can_be_changed_without_the_others(dataset: NASBench101) -> None:
    loader = CollatedLoader(dataset, 10)
    first = next(iter(loader))
    first.x.zero_()
    first.extra = 1
    again = next(iter(loader))
    assert again.x.sum() == again.num_nodes
    assert "extra" not in again


def test_empty_dataset_and_bad_batch_size(dataset: NASBench101) -> None:
    assert list(CollatedLoader(dataset[np.array([], dtype=np.int64)], 4)) == []
    with pytest.raises(SettingsError, match="batch_size"):
        CollatedLoader(dataset, 0)
    with pytest.raises(SettingsError, match=r"such as dataset\[rows\].*, got Subset"):
        CollatedLoader(torch.utils.data.Subset(dataset, [1, 2]), 4)  # type: ignore[arg-type]
