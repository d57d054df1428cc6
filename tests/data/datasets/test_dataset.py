from __future__ import annotations

import copy
import importlib
import json
import multiprocessing
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData, TemporalData
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import AddSelfLoops, ToUndirected
from torch_geometric.utils import to_dense_adj, to_dense_batch

from pyg_nas.data.datasets.dataset import CellDataset
from pyg_nas.data.datasets.loader import CollatedLoader
from pyg_nas.data.datasets.of_spaces import NASBench101
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError, SpaceError, TableError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.spaces.nasbench101 import NASBENCH101, nasbench101_cells
from pyg_nas.testing import small_cells
from tests.measure.conftest import chain


@pytest.fixture
def dataset(tmp_path: Path, small_table: Table) -> NASBench101:
    return NASBench101(tmp_path, small_table)


def test_graphs_are_the_tables_cells_and_labels(dataset: NASBench101, small_table: Table) -> None:
    assert len(dataset) == len(small_table)
    assert dataset.space == NASBENCH101
    labels = small_table.label(LabelPolicy())
    for index in (0, 17, 299):
        graph = dataset[index]
        assert set(graph.keys()) == {"x", "edge_index", "y", "row"}
        assert Cell.from_data(graph) == small_table.cells[index] == dataset.cell(index)
        assert graph.y.shape == (1,)
        assert graph.y.dtype == torch.float32
        assert graph.y.item() == pytest.approx(labels[index], abs=1e-7)
        assert graph.row.tolist() == [index]
    assert dataset.num_features == 5


def test_second_use_reads_the_processed_file(tmp_path: Path, small_table: Table) -> None:
    first = NASBench101(tmp_path, small_table)
    path = Path(first.processed_paths[0])
    before = path.stat().st_mtime_ns
    second = NASBench101(tmp_path, small_table)
    assert path.stat().st_mtime_ns == before
    assert torch.equal(first._data.x, second._data.x)
    assert torch.equal(first._data.y, second._data.y)
    assert second.cells == small_table.cells
    NASBench101(tmp_path, small_table, force_reload=True)
    assert path.stat().st_mtime_ns > before


def test_loads_from_hdf5_and_names_a_missing_file(tmp_path: Path, small_table: Table) -> None:
    path = tmp_path / "table.hdf5"
    small_table.save(path)
    dataset = NASBench101(tmp_path / "root", path)
    assert dataset.raw_paths == [str(path)]
    assert dataset.cells == small_table.cells
    with pytest.raises(TableError, match=r"absent\.hdf5"):
        NASBench101(tmp_path / "root", tmp_path / "absent.hdf5")


def test_changed_label_policy_changes_y_in_one_root(tmp_path: Path, small_table: Table) -> None:
    path = tmp_path / "table.hdf5"
    small_table.save(path)
    for policy in (
        LabelPolicy(),
        LabelPolicy(metric="test_accuracy"),
        LabelPolicy(run="mean"),
        LabelPolicy(budget=4, halfway=True),
        LabelPolicy(),
    ):
        for source in (path, small_table):
            dataset = NASBench101(tmp_path / "root", source, label=policy)
            assert np.allclose(dataset._data.y.numpy(), small_table.label(policy))
    with pytest.raises(TableError, match="5 was requested"):
        NASBench101(tmp_path / "root", path, label=LabelPolicy(budget=5))


def test_changed_source_content_changes_the_dataset(tmp_path: Path, small_table: Table) -> None:
    path = tmp_path / "table.hdf5"
    small_table.save(path)
    assert len(NASBench101(tmp_path, path)) == 300
    small_table.subset(np.arange(100)).save(path)
    assert len(NASBench101(tmp_path, path)) == 100
    higher = Table(small_table.cells, small_table.metrics + np.float32(0.01))
    assert not torch.equal(
        NASBench101(tmp_path, small_table)._data.y, NASBench101(tmp_path, higher)._data.y
    )


def test_unmeasured_labels_are_nan(tmp_path: Path, small_table: Table) -> None:
    dataset = NASBench101(tmp_path, small_table, label=LabelPolicy(run=2))
    assert torch.isnan(dataset._data.y).all()


def test_batches_and_dense_views(dataset: NASBench101) -> None:
    batch = next(iter(DataLoader(dataset, batch_size=16)))
    graphs = [dataset[i] for i in range(16)]
    by_hand = Batch.from_data_list(graphs)
    assert torch.equal(batch.edge_index, by_hand.edge_index)
    assert batch.row.tolist() == list(range(16))  # not shifted by the vertices before
    assert batch.y.shape == (16,)
    x, mask = to_dense_batch(batch.x, batch.batch, max_num_nodes=7)
    adjacency = to_dense_adj(batch.edge_index, batch.batch, max_num_nodes=7)
    cells = dataset.cells[:16]
    assert np.array_equal(mask.numpy(), cells.mask)
    assert np.array_equal(adjacency.numpy(), cells.adjacency)
    assert np.array_equal(x.argmax(-1).numpy()[cells.mask], cells.columns[cells.mask])


@pytest.mark.parametrize(
    "index",
    [
        slice(10, 40, 3),
        np.array([5, 3, 250]),
        torch.tensor([5, 3, 250]),
        [5, 3, 250],
        np.arange(300) % 7 == 0,
        torch.arange(300) % 7 == 0,
    ],
    ids=["slice", "array", "tensor", "list", "mask array", "mask tensor"],
)
def test_slicing_by_arrays(dataset: NASBench101, index: object) -> None:
    part = dataset[index]
    rows = np.arange(300)[np.asarray(index) if not isinstance(index, slice) else index]
    assert [graph.row.item() for graph in part] == rows.tolist()
    assert part.cells == dataset.cells[rows]
    assert part.cell(1) == dataset.cell(int(rows[1]))
    assert part[np.array([1])][0].row.item() == rows[1]


def test_transform_at_access_and_before_saving(tmp_path: Path, small_table: Table) -> None:
    plain = NASBench101(tmp_path, small_table)
    looped = NASBench101(tmp_path, small_table, transform=AddSelfLoops())
    both_ways = NASBench101(tmp_path, small_table, pre_transform=ToUndirected())
    for index in (0, 123):
        graph = plain[index]
        assert looped[index].num_edges == graph.num_edges + graph.num_nodes
        assert both_ways[index].num_edges == 2 * graph.num_edges
        assert both_ways.cell(index) == plain.cell(index)


def test_pre_filter_keeps_the_way_back_to_the_cells(tmp_path: Path, small_table: Table) -> None:
    small = NASBench101(tmp_path, small_table, pre_filter=lambda graph: graph.num_nodes < 7)
    rows = np.flatnonzero(small_table.cells.num_vertices < 7)
    assert [graph.row.item() for graph in small] == rows.tolist()
    assert small.cells == small_table.cells[rows]
    other = NASBench101(tmp_path, small_table, pre_filter=lambda graph: graph.num_nodes < 6)
    assert len(other) == (small_table.cells.num_vertices < 6).sum()
    with pytest.raises(TableError, match="none of the 300"):
        NASBench101(tmp_path, small_table, pre_filter=lambda graph: False)


def test_pre_transform_may_set_num_nodes(tmp_path: Path, small_table: Table) -> None:
    def without_x(graph: Data) -> Data:
        return Data(edge_index=graph.edge_index, num_nodes=graph.num_nodes, name="cell")

    dataset = NASBench101(tmp_path, small_table, pre_transform=without_x)
    again = NASBench101(tmp_path, small_table, pre_transform=without_x)
    sizes = small_table.cells.num_vertices.tolist()
    for loaded in (dataset, again):
        assert [graph.num_nodes for graph in loaded] == sizes
        assert loaded[0].name == "cell"


def test_pre_transform_may_not_set_what_no_file_gives_back(
    tmp_path: Path, small_table: Table
) -> None:
    def with_arrays(graph: Data) -> Data:
        graph.walk = np.arange(3)
        graph.cell = Path("x")
        graph.local = lambda: None
        graph.names = ["a", "b"]
        graph.parts = {"a": torch.zeros(1), "b": [1, 2.0, None]}
        return graph

    message = (
        r"it sets 'walk' \(numpy\.ndarray\), 'cell' \(pathlib.*\), 'local' \(.*function\); "
        r"torch\.from_numpy makes a tensor"
    )
    for _ in range(2):
        with pytest.raises(TableError, match=message):
            NASBench101(tmp_path, small_table, pre_transform=with_arrays)
        assert not list((tmp_path / "processed").glob("*"))


class Scale:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, graph: Data) -> Data:
        graph.x = graph.x * self.factor
        return graph


def _shift(graph: Data, by: float) -> Data:
    graph.x = graph.x + by
    return graph


def _keep(module: str) -> Any:
    """The function ``keep`` of a module of that text, as a new process would find it."""
    namespace: dict[str, Any] = {"__name__": "own_module"}
    exec(module, namespace)
    return namespace["keep"]


def test_a_changed_global_of_a_pre_filter_is_not_stale(tmp_path: Path, small_table: Table) -> None:
    module = "LIMIT = 0.74\nkeep = lambda graph: graph.y.item() > LIMIT"
    label = LabelPolicy(resample_below=None)
    lengths = [
        len(NASBench101(tmp_path, small_table, label, pre_filter=_keep(text)))
        for text in (module, module.replace("0.74", "0.76"))
    ]
    y = small_table.label(label)
    assert lengths == [(y > 0.74).sum(), (y > 0.76).sum()]
    assert lengths[0] > lengths[1]


def test_pre_transform_that_differs_in_state_is_not_stale(
    tmp_path: Path, small_table: Table, recwarn: pytest.WarningsRecorder
) -> None:
    assert NASBench101(tmp_path, small_table, pre_transform=Scale(2.0))[0].x.max() == 2
    assert NASBench101(tmp_path, small_table, pre_transform=Scale(3.0))[0].x.max() == 3
    assert not [w for w in recwarn if "pre_transform" in str(w.message)]


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_truncated_processed_file_is_made_again(
    tmp_path: Path, small_table: Table, keep: float
) -> None:
    path = Path(NASBench101(tmp_path, small_table).processed_paths[0])
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])
    assert NASBench101(tmp_path, small_table).cells == small_table.cells
    assert NASBench101(tmp_path, small_table)[299].row.item() == 299
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_foreign_processed_file_is_made_again(tmp_path: Path, small_table: Table) -> None:
    path = Path(NASBench101(tmp_path, small_table).processed_paths[0])
    torch.save({"weights": torch.zeros(3)}, path)
    assert NASBench101(tmp_path, small_table).cells == small_table.cells


def _build(root: str, table: str, results: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    dataset = NASBench101(root, table, force_reload=True)
    results.put(float(dataset._data.y.double().sum()))


def test_processes_may_share_a_root(tmp_path: Path, small_table: Table) -> None:
    path = tmp_path / "table.hdf5"
    small_table.save(path)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=_build, args=(str(tmp_path / "root"), str(path), results))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    sums = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert sums[0] == sums[1] == pytest.approx(small_table.label().sum(), rel=1e-6)
    assert len(list((tmp_path / "root" / "processed").iterdir())) == 1


def test_writing_to_a_tensor_leaves_the_file_alone(tmp_path: Path, small_table: Table) -> None:
    NASBench101(tmp_path, small_table)._data.y.zero_()
    assert NASBench101(tmp_path, small_table)._data.y.min() > 0.5


def test_graph_file_of_another_space(tmp_path: Path) -> None:
    path = tmp_path / "graphs.jsonl"
    records = [
        {"ops": ["a", "b", "c"], "edges": [[0, 1], [1, 2]], "y": 0.5},
        {"ops": ["d", "a"], "edges": [[1, 0]]},
    ]
    path.write_text("\n".join(map(json.dumps, records)))
    dataset = CellDataset(tmp_path / "root", path)
    assert len(dataset) == 2
    assert dataset.num_features == 4
    assert dataset[0].y.item() == 0.5
    assert torch.isnan(dataset[1].y).all()
    assert dataset[1].x.argmax(1).tolist() == [0, 3]  # topological order: a before d
    with pytest.raises(SpaceError, match=r"not of .nasbench101"):
        NASBench101(tmp_path / "root", path)


def test_cells_without_labels(tmp_path: Path) -> None:
    cells = small_cells(4)
    dataset = CellDataset(tmp_path, cells)
    assert "y" not in dataset[0]
    assert dataset.cells == cells


def test_whole_space_without_a_source(tmp_path: Path) -> None:
    dataset = NASBench101(tmp_path)
    assert len(dataset) == 423_624
    assert dataset._data.num_nodes == 2_898_195
    assert dataset._data.num_edges == 3_697_667
    assert dataset.cell(400_000) == nasbench101_cells()[400_000]


def test_label_policy_is_checked(tmp_path: Path, small_table: Table) -> None:
    with pytest.raises(SettingsError, match="loss"):
        NASBench101(tmp_path, small_table, label=LabelPolicy(metric="loss"))


@pytest.mark.parametrize("source", [None, [Cell([[0, 1], [0, 0]], ["input", "output"])], 5])
def test_sources_of_other_types_are_refused(tmp_path: Path, source: Any) -> None:
    with pytest.raises(TableError, match=rf"source must be .*, got {type(source).__name__}"):
        CellDataset(tmp_path, source)
    with pytest.raises(TableError, match=r"label must be a LabelPolicy or None, got .*accuracy"):
        CellDataset(tmp_path, sample_cells(3, seed=0), label="accuracy")  # type: ignore[arg-type]


def test_changed_operations_change_the_dataset(tmp_path: Path) -> None:
    metrics = np.full((2, 4, 3, 2, 4), 0.5, dtype=np.float32)
    for names in (("conv3x3-bn-relu", "maxpool3x3"), ("conv1x1-bn-relu", "maxpool3x3")):
        cells = CellArray.from_cells(map(chain, names))
        assert CellDataset(tmp_path, cells).cells == cells
        assert CellDataset(tmp_path, Table(cells, metrics)).cells == cells


def test_a_transform_key_stands_for_the_transforms(tmp_path: Path, small_table: Table) -> None:
    def doubled(key: str | None, factor: float) -> float:
        dataset = NASBench101(tmp_path, small_table, pre_transform=Scale(factor), transform_key=key)
        return float(dataset[0].x.max())

    assert [doubled("a", 2.0), doubled("a", 3.0), doubled("b", 3.0)] == [2.0, 2.0, 3.0]
    assert [doubled(None, 2.0), doubled(None, 3.0)] == [2.0, 3.0]


def assert_together(part: CellDataset, rows: list[int], source: CellArray) -> None:
    """Cells, graphs and rows of a part are those of the source's ``rows``."""
    assert len(part) == len(part.cells) == len(rows)
    assert part.cells == source[np.array(rows, dtype=int)]
    assert part.cells.hashes().tolist() == source[np.array(rows, dtype=int)].hashes().tolist()
    for position, row in enumerate(rows):
        assert part[position].row.item() == row
        if type(part[position]) is Data:
            assert Cell.from_data(part[position]) == part.cell(position) == source[row]


PARTS: dict[str, Callable[[CellDataset], CellDataset]] = {
    "slice": lambda d: d[30:34],
    "copy of a slice": lambda d: d[30:34].copy(),
    "slice of a copy": lambda d: d.copy()[30:34],
    "copy by index": lambda d: d.copy([33, 31, 32]),
    "copy by mask": lambda d: d.copy(torch.arange(50) % 7 == 0),
    "copy of one": lambda d: d[30:31].copy(),
    "copy of a copy": lambda d: d[10:40].copy()[5:9].copy(),
    "shuffle": lambda d: d.shuffle(),
    "copy of a shuffle": lambda d: d.shuffle()[:9].copy(),
    "index_select": lambda d: d.index_select(torch.tensor([4, 4, 2])),
    "copy with repeats": lambda d: d.index_select([4, 4, 2]).copy(),
    "mask": lambda d: d[torch.arange(50) > 40],
    "fractions": lambda d: d[0.5:0.6],
    "to": lambda d: d.to("cpu"),
    "cpu": lambda d: d[3:6].copy().cpu(),
    "copy.copy": lambda d: copy.copy(d[30:34]),
    "deepcopy": lambda d: copy.deepcopy(d[30:34]),
    "deepcopy of a copy": lambda d: copy.deepcopy(d[30:34].copy()),
    "pickle": lambda d: pickle.loads(pickle.dumps(d[30:34].copy())),
    "negative": lambda d: d[[-1, -3]],
    "range": lambda d: d[range(3, 9, 2)].copy(),
}


def _in_odd_row(graph: Data) -> bool:
    return bool(graph.row.item() % 2)


@pytest.mark.parametrize("make", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("filtered", [False, True], ids=["all", "filtered"])
def test_every_part_keeps_cells_graphs_and_rows_together(
    tmp_path: Path, make: Callable[[CellDataset], CellDataset], filtered: bool
) -> None:
    source = sample_cells(120 if filtered else 50, seed=0)
    whole = NASBench101(tmp_path, source, pre_filter=_in_odd_row if filtered else None)
    part = make(whole[:50].copy() if filtered else whole)
    assert_together(part, [graph.row.item() for graph in part], source)


def test_a_copied_part_has_its_own_cells(tmp_path: Path) -> None:
    part = NASBench101(tmp_path, sample_cells(50, seed=0))[30:34].copy()
    assert len(part.cells) == 4
    assert part.cell(0) == Cell.from_data(part[0]) == sample_cells(50, seed=0)[30]
    assert part.get_summary().num_graphs == 4
    batch = next(iter(DataLoader(part, batch_size=4)))
    assert batch.row.tolist() == next(iter(CollatedLoader(part, batch_size=4))).row.tolist()


def test_rows_that_are_no_longer_the_source_s_are_refused(tmp_path: Path) -> None:
    cells = sample_cells(20, 0)
    part = NASBench101(tmp_path, cells, pre_filter=_in_odd_row)[1:4].copy()
    part._data.row[1] = 4  # which the filter left out
    for use in (lambda: part.cells, lambda: part.cell(1)):
        with pytest.raises(TableError, match="row 4 of a graph is not a row"):
            use()
    assert part.cell(0) == cells[3]
    del part._data["row"]
    with pytest.raises(TableError, match="have no attribute row"):
        _ = part.cells


def test_on_disk_and_joined_datasets_keep_the_rows(tmp_path: Path) -> None:
    source = sample_cells(12, seed=0)
    whole = NASBench101(tmp_path, source)
    stored = whole[3:7].to_on_disk_dataset(str(tmp_path / "disk"), log=False)
    assert [Cell.from_data(graph) for graph in stored] == list(source[3:7])
    assert [graph.row.item() for graph in stored] == [3, 4, 5, 6]
    joined = whole[:2] + whole[10:]
    assert [Cell.from_data(graph) for graph in joined] == [source[i] for i in (0, 1, 10, 11)]


class PairData(Data):
    """Graphs whose ``pair`` counts on in steps of its own."""

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        return 7 if key == "pair" else super().__inc__(key, value, *args, **kwargs)

    def __cat_dim__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        return 1 if key == "wide" else super().__cat_dim__(key, value, *args, **kwargs)


def as_pair(graph: Data) -> PairData:
    return PairData(
        x=graph.x, edge_index=graph.edge_index, pair=torch.tensor([5]), wide=torch.ones(2, 3)
    )


def as_hetero(graph: Data) -> HeteroData:
    made = HeteroData()
    made["op"].x = graph.x
    made["op", "feeds", "op"].edge_index = graph.edge_index
    made.note = "whole"
    return made


@pytest.mark.parametrize("pre_transform", [as_pair, as_hetero])
@pytest.mark.parametrize("total", [20, 1])
def test_graphs_keep_their_class(
    tmp_path: Path, pre_transform: Callable[[Data], Any], total: int
) -> None:
    source = sample_cells(total, seed=0)
    graphs = []
    for cell in source:
        graph = pre_transform(cell.to_data())
        graph["row"] = torch.tensor([len(graphs)])
        graphs.append(graph)
    expected = Batch.from_data_list(graphs)
    for _ in range(2):  # made, and opened again
        dataset = NASBench101(tmp_path, source, pre_transform=pre_transform)
        assert type(dataset[0]) is type(graphs[0])
        assert_together(dataset[: total // 2 + 1].copy(), list(range(total // 2 + 1)), source)
        for loader in (DataLoader(dataset, total), CollatedLoader(dataset, total)):
            batch = next(iter(loader))
            for got, wanted in zip(batch.stores, expected.stores, strict=True):
                assert list(got) == list(wanted)
                for name, value in wanted.items():
                    same = torch.equal(got[name], value) if torch.is_tensor(value) else None
                    assert same or got[name] == value, name
    if pre_transform is as_pair:
        assert batch.pair.tolist() == [5 + 7 * i for i in range(total)]
        with pytest.raises(TableError, match="PairData"):
            dataset.to_on_disk_dataset(str(tmp_path / "disk"), log=False)


def test_a_class_that_is_not_loaded_is_found_by_processing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_graphs.py").write_text(
        "from torch_geometric.data import Data\nclass Own(Data): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def lazily(graph: Data) -> Data:
        own_graphs = importlib.import_module("own_graphs")
        return own_graphs.Own(x=graph.x, edge_index=graph.edge_index)  # type: ignore[no-any-return]

    source = sample_cells(5, seed=0)
    first = NASBench101(tmp_path / "root", source, pre_transform=lazily)
    monkeypatch.delitem(sys.modules, "own_graphs")
    again = NASBench101(tmp_path / "root", source, pre_transform=lazily)
    assert type(first[0]).__name__ == type(again[0]).__name__ == "Own"


class NeedsAnArgument(Data):
    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)


def _mixed(graph: Data) -> Data:
    return graph if graph.row.item() else as_pair(graph)


def _uneven(graph: Data) -> Data:
    if graph.row.item():
        graph.extra = torch.zeros(1)
    return graph


def _ragged(graph: Data) -> Data:
    graph.walks = torch.zeros(2, graph.num_nodes)
    return graph


def _local(graph: Data) -> Data:
    class Local(Data):
        pass

    return Local(x=graph.x, edge_index=graph.edge_index)


@pytest.mark.parametrize(
    ("pre_transform", "message"),
    [
        (lambda graph: None, "returned a builtins.NoneType"),
        (lambda graph: (graph, 1), "returned a builtins.tuple"),
        (lambda graph: [graph], "returned a builtins.list"),
        (lambda graph: graph.x, "returned a torch.Tensor"),
        (lambda graph: graph.to_dict(), "returned a builtins.dict"),
        (lambda graph: Batch.from_data_list([graph]), "returned a .*DataBatch"),
        (lambda graph: TemporalData(), "returned a .*TemporalData"),
        (lambda graph: NeedsAnArgument(3, x=graph.x), "returned a .*NeedsAnArgument"),
        (_local, "returned a .*Local"),
        (_mixed, "one class.*PairData and a .*Data"),
        (_ragged, r"one shape in all graphs, .* it sets 'walks' \[2, \d\] and \[2, \d\]"),
        (_uneven, "same attributes in all graphs; only some have extra"),
    ],
)
def test_what_a_processed_file_cannot_restore_is_refused(
    tmp_path: Path, pre_transform: Callable[[Data], Any], message: str
) -> None:
    for _ in range(2):
        with pytest.raises(TableError, match=message) as caught:
            CellDataset(tmp_path, sample_cells(5, seed=0), pre_transform=pre_transform)
        assert "pre_transform must" in str(caught.value)
        assert not list((tmp_path / "processed").glob("*"))


@pytest.mark.parametrize("answer", [None, "yes", 0.5, torch.ones(2), Data()])
def test_a_pre_filter_answers_true_or_false(tmp_path: Path, answer: object) -> None:
    with pytest.raises(TableError, match="pre_filter must return True or False"):
        CellDataset(tmp_path, sample_cells(5, seed=0), pre_filter=lambda graph: answer)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("answer", [True, 1, np.bool_(True), torch.tensor(True), torch.ones(1)])
def test_a_pre_filter_may_answer_as_pytorch_does(tmp_path: Path, answer: Any) -> None:
    cells = sample_cells(5, seed=0)
    assert len(CellDataset(tmp_path, cells, pre_filter=lambda graph: answer)) == 5
