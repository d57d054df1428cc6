from __future__ import annotations

import json
import logging
import multiprocessing
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import AddSelfLoops, Compose, ToUndirected
from torch_geometric.utils import to_dense_adj, to_dense_batch

from pyg_nas.data.collate import collate_cells
from pyg_nas.data.dataset import CellDataset, NASBench101
from pyg_nas.data.labels import LabelPolicy
from pyg_nas.data.table import Table
from pyg_nas.data.transform_digest import describe
from pyg_nas.errors import CellError, SettingsError, SpaceError, TableError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import nasbench101_cells
from pyg_nas.graphs.search_space import NASBENCH101


@pytest.fixture
def dataset(tmp_path: Path, small_table: Table) -> NASBench101:
    return NASBench101(tmp_path, small_table)


def every_size(per_size: int = 4) -> CellArray:
    cells = nasbench101_cells()
    rows = [np.flatnonzero(cells.num_vertices == v)[-per_size:] for v in range(2, 8)]
    return cells[np.concatenate(rows)]


def test_collated_tensors_equal_a_loop_over_cells() -> None:
    cells = every_size()
    y = np.linspace(0.5, 0.9, len(cells))
    graphs = []
    for row, cell in enumerate(cells):
        graph = cell.to_data()
        graph.y = torch.tensor([y[row]], dtype=torch.float32)
        graph.row = torch.tensor([row])
        graphs.append(graph)
    expected, expected_slices = InMemoryDataset.collate(graphs)
    data, slices = collate_cells(cells, y)
    assert list(data.keys()) == list(expected.keys())
    for key, value in expected.items():
        assert data[key].dtype == value.dtype
        assert torch.equal(data[key], value)
        assert slices[key].dtype == expected_slices[key].dtype
        assert torch.equal(slices[key], expected_slices[key])
    assert list(slices) == list(expected_slices)


def test_collate_refuses_labels_of_another_number() -> None:
    with pytest.raises(CellError, match=r"\[21\]"):
        collate_cells(every_size(), np.zeros(3))


def test_collate_of_no_cells() -> None:
    data, slices = collate_cells(every_size()[:0], [])
    assert data.x.shape == (0, 5)
    assert data.edge_index.shape == (2, 0)
    assert slices["x"].tolist() == [0]


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
    with pytest.raises(TableError, match="5 was asked for"):
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


class _Slots:
    __slots__ = ("__hidden", "shown")

    def __init__(self, shown: int, hidden: int) -> None:
        self.shown, self.__hidden = shown, hidden


def _transform(call: object) -> object:
    """An object whose class inherits ``call``."""
    return type("Child", (type("Parent", (), {"__call__": call}),), {})()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda graph: graph.num_nodes > 5, lambda graph: graph.num_nodes > 4),
        (Scale(1.0), Scale(2.0)),
        (partial(_shift, by=1.0), partial(_shift, by=2.0)),
        (Compose([Scale(1.0)]), Compose([Scale(3.0)])),
        (Scale(torch.zeros(2)), Scale(torch.ones(2))),
        (None, Scale(1.0)),
        (Scale(1.0).__call__, Scale(2.0).__call__),
        (_Slots(1, 3), _Slots(2, 3)),
        (_Slots(1, 3), _Slots(1, 4)),
        (_transform(lambda self, graph: graph), _transform(lambda self, graph: None)),
        (_transform(staticmethod(lambda g: g)), _transform(staticmethod(lambda g: None))),
    ],
)
def test_transforms_that_differ_have_different_texts(one: object, other: object) -> None:
    assert describe(one) != describe(other)
    assert describe(one) == describe(one)


def test_transform_text_follows_closures_and_not_addresses() -> None:
    def above(limit: float):  # type: ignore[no-untyped-def]
        return lambda graph: graph.y.item() > limit

    assert describe(above(0.9)) == describe(above(0.9))
    assert describe(above(0.9)) != describe(above(0.8))
    assert describe(Scale(2.0)) == describe(Scale(2.0))
    selfish = Scale(1.0)
    selfish.me = selfish  # type: ignore[attr-defined]
    assert "0x" not in describe(selfish)


def _keep(module: str) -> Any:
    """The function ``keep`` of a module of that text, as a new process would find it."""
    namespace: dict[str, Any] = {"__name__": "own_module"}
    exec(module, namespace)
    return namespace["keep"]


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("THR = 0.91\nkeep = lambda d: d.y.item() > THR", "0.91", "0.94"),
        ("THR = 0.91\nkeep = lambda d: all(y > THR for y in d.y)", "0.91", "0.94"),
        ("def helper(d): return d.y > 1\ndef keep(d): return helper(d)", "1", "2"),
        ("T = [1]\ndef helper(d): return d.y > T[0]\ndef keep(d): return helper(d)", "1", "2"),
        ("class A:\n def go(self, d): return d.y > 1\ndef keep(d): return A().go(d)", "1", "2"),
        ("class A:\n t = 1\n def __call__(self, d): return d.y > self.t\nkeep = A()", "1", "2"),
        ("class A:\n t = 1\ndef keep(d): return d.y > A.t", "1", "2"),
        ("class A:\n @property\n def t(self): return 1\nkeep = A()", "1", "2"),
        ("import functools\n@functools.cache\ndef f(d): return 1\ndef keep(d): f(d)", "1", "2"),
        ("from math import sin as f\ndef keep(d): return f(d.y)", "sin", "cos"),
        ("from shutil import copy as f\ndef keep(d): return f(d.y)", "copy", "move"),
        ("import math as m\ndef keep(d): return m.floor(d.y)", "math", "numpy"),
        ("import enum\nclass E(enum.Enum): A=1; B=3; C=4\ndef keep(d): return E.A", "1", "2"),
        ("def keep(d): return 1 if d.y else other(d)\ndef other(d): keep(d)", "1", "2"),
        ("def keep(d): return other(d)\ndef other(d): return 1 if d.y else keep(d)", "1", "2"),
        ("def keep(d): return 1 if d.y else keep(d)", "1", "2"),
    ],
)
def test_what_code_takes_from_its_module_counts(module: str, old: str, new: str) -> None:
    text = describe(_keep(module))
    assert text == describe(_keep(module))
    assert text != describe(_keep(module.replace(old, new)))
    assert "0x" not in text


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("import {0}.part as m\ndef keep(d): return d.y > m.T", "part"),
        ("import {0}\ndef keep(d): return {0}.part.over(d)", "part"),
        ("import {0}\ndef keep(d): return {0}.over(d)", "part"),
        ("import {0}\ndef keep(d): return any({0}.L > y for y in d.y)", "__init__"),
        ("def keep(d):\n from {0}.part import over\n return over(d)", "part"),
        ("def keep(d):\n from {0} import part, L\n return part.over(d)", "part"),
        ("def keep(d):\n from {0} import later\n return later.T > d.y", "later"),
        ("def keep(d):\n import {0}.later\n return {0}.later.T > d.y", "later"),
        ("def keep(d):\n import {0}.later\n return {0}.L > d.y", "__init__"),
        ("import {0}\ndef keep(d):\n from {0} import later\n return later.T > {0}.L", "later"),
        (
            "import {0}\ndef load(): import {0}.later\ndef keep(d): return load(), {0}.later.T",
            "later",
        ),
        ("import {0} as m\ndef keep(d): return m.part.package.part.T > d.y", "part"),
        (
            "def keep(d):\n def inner():\n  import {0} as m\n  return m.L\n return inner()",
            "__init__",
        ),
    ],
)
def test_what_code_takes_from_own_modules_counts(
    code: str, changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("own_")]:
        monkeypatch.delitem(sys.modules, name)
    texts: list[str] = []
    # Two packages of one shape, which are each other's later version.
    for package, value in (("own_first", "1"), ("own_second", "2")):
        folder = tmp_path / package
        folder.mkdir()
        modules = {
            "__init__": "from . import part\nfrom .part import over\nL, UNUSED = 1, '{}'",
            "part": f"import {package} as package\nT = 1\n"
            "def over(d):\n from . import L\n return d.y > T",
            "later": "T = 1",
        }
        modules[changed] = modules[changed].replace("1", value)
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text.format(value))
        texts.append(describe(_keep(code.format(package))).replace(package, "package"))
        assert texts[-1] == describe(_keep(code.format(package))).replace(package, "package")
    assert texts[0] != texts[1]
    assert not any("UNUSED" in text for text in texts)


def test_a_library_is_not_imported_for_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "onnx", raising=False)
    module = "def keep(d):\n import onnx, missing_one\n from math import sin\n return onnx.T"
    assert describe(_keep(module)) != describe(_keep(module.replace("onnx", "gzip")))
    assert "onnx" not in sys.modules


@pytest.mark.parametrize(
    "statement", ["from . import part", "from ..far import part", "import own_failing"]
)
def test_an_import_that_fails_is_left_to_the_code(
    statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_failing.py").write_text("raise RuntimeError('no accelerator')")
    monkeypatch.syspath_prepend(tmp_path)
    module = f"def keep(d):\n try:\n  {statement}\n except Exception: return 1 > d.y"
    text = describe(_keep(module))
    assert text == describe(_keep(module))
    assert text != describe(_keep(module.replace("1", "2")))


def test_what_code_does_not_refer_to_does_not_count() -> None:
    module = "import logging\nlog = logging.getLogger('a')\nY = 1\ndef keep(d): return log, d.Y\n"
    text = describe(_keep(module))
    logging.getLogger("a").setLevel(30)
    assert text == describe(_keep(module.replace("1", "2")))


def test_an_object_of_a_library_that_cannot_be_pickled_counts_by_its_class() -> None:
    module = "from rich.console import Console\nc = Console(width=5)\ndef keep(d): return c"
    assert describe(_keep(module)) == describe(_keep(module.replace("5", "6")))


def test_a_closure_whose_variable_is_not_bound_yet() -> None:
    def keep(graph: Data) -> bool:
        return bool(graph.y > limit)

    before = describe(keep)
    limit = 0.9
    assert "cell: empty" in before
    assert describe(keep) != before


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
    with pytest.raises(SpaceError, match="NAS-Bench-101"):
        NASBench101(tmp_path / "root", path)


def test_cells_without_labels(tmp_path: Path) -> None:
    cells = every_size()
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


LINE = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]


def lines(*operations: str) -> CellArray:
    return CellArray.from_cells([Cell(LINE, ["input", name, "output"]) for name in operations])


def test_changed_operations_change_the_dataset(tmp_path: Path) -> None:
    metrics = np.full((2, 4, 3, 2, 4), 0.5, dtype=np.float32)
    for names in (("conv3x3-bn-relu", "maxpool3x3"), ("conv1x1-bn-relu", "maxpool3x3")):
        cells = lines(*names)
        assert CellDataset(tmp_path, cells).cells == cells
        assert CellDataset(tmp_path, Table(cells, metrics)).cells == cells
