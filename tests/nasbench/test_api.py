from __future__ import annotations

import copy
import json
import multiprocessing
import os
import pickle
import random
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyg_nas import nasbench as api
from pyg_nas.data.tables.official_file import write_official
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import PygNasError, RecordError, SettingsError, TableError
from pyg_nas.graphs.search_space import SearchSpace

# The example of the official package's documentation.
INCEPTION = [
    [0, 1, 1, 1, 0, 1, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 1, 0, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 0],
]
C3, C1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
INCEPTION_OPS = ["input", C1, C3, C3, C3, POOL, "output"]


def full_table(small_table: Table, n: int = 20) -> Table:
    table = small_table.subset(np.arange(n))
    table.metrics[:, :, 2] = table.metrics[:, :, 0] / 2
    return table


def spec_of(table: Table, row: int) -> api.ModelSpec:
    cell = table.cells[row]
    return api.ModelSpec(cell.adjacency, list(cell.operations))


@pytest.fixture
def table(small_table: Table) -> Table:
    return full_table(small_table)


def test_spec_of_the_official_example() -> None:
    spec = api.ModelSpec(matrix=INCEPTION, ops=INCEPTION_OPS)
    assert spec.valid_spec
    assert isinstance(spec.matrix, np.ndarray)
    assert spec.matrix.tolist() == INCEPTION
    assert spec.ops == INCEPTION_OPS
    assert spec.data_format == "channels_last"


def test_spec_is_pruned_and_keeps_the_original() -> None:
    matrix = np.array([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    ops = ["input", C3, POOL, "output"]
    spec = api.ModelSpec(matrix, ops, data_format="channels_first")
    matrix[0, 3] = 1
    ops[1] = "changed"
    assert spec.matrix is not None
    assert spec.matrix.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert spec.ops == ["input", C3, "output"]
    assert spec.original_matrix.tolist()[0] == [0, 1, 1, 0]
    assert spec.original_ops == ["input", C3, POOL, "output"]
    assert spec.data_format == "channels_first"


def test_disconnected_spec_is_not_valid() -> None:
    spec = api.ModelSpec([[0, 1, 0], [0, 0, 0], [0, 0, 0]], ["input", C3, "output"])
    assert (spec.valid_spec, spec.matrix, spec.ops) == (False, None, None)
    with pytest.raises(api.OutOfDomainError, match="disconnected"):
        spec.hash_spec([C3, C1, POOL])


@pytest.mark.parametrize(
    ("matrix", "ops"),
    [
        ([[0, 1]], ["input"]),
        ([[0, 1], [0, 0]], ["input", C3, "output"]),
        ([[0, 1], [1, 0]], ["input", "output"]),
        ([[1, 1], [0, 0]], ["input", "output"]),
        (np.zeros((0, 0)), []),
        ([["a", "b"], ["c", "d"]], ["input", "output"]),
    ],
)
def test_malformed_specs_raise_value_error(matrix: Any, ops: list[str]) -> None:
    with pytest.raises(ValueError, match="matrix"):
        api.ModelSpec(matrix, ops)


def test_hash_spec_equals_the_real_hashes(real_table: Table) -> None:
    for row in range(0, len(real_table), 1000):
        digest = spec_of(real_table, row).hash_spec([C3, C1, POOL])
        assert digest == real_table.hashes[row].decode()


def test_hash_spec_takes_the_order_of_the_given_operations() -> None:
    line = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    one = api.ModelSpec(line, ["input", C3, "output"]).hash_spec([C3, C1, POOL])
    other = api.ModelSpec(line, ["input", C1, "output"]).hash_spec([C1, C3, POOL])
    assert one == other
    with pytest.raises(ValueError, match="not in list"):
        api.ModelSpec(line, ["input", "conv5x5", "output"]).hash_spec([C3])


def test_visualize_draws_vertices_and_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    class Digraph:
        def __init__(self) -> None:
            self.nodes: list[tuple[str, str]] = []
            self.edges: list[tuple[str, str]] = []

        def node(self, *args: str) -> None:
            self.nodes.append(args)  # type: ignore[arg-type]

        def edge(self, *args: str) -> None:
            self.edges.append(args)  # type: ignore[arg-type]

    spec = api.ModelSpec(INCEPTION, INCEPTION_OPS)
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(SettingsError, match="pip install graphviz"):
        spec.visualize()
    module = ModuleType("graphviz")
    module.Digraph = Digraph  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "graphviz", module)
    drawing = spec.visualize()
    assert drawing.nodes == [(str(v), name) for v, name in enumerate(INCEPTION_OPS)]
    assert drawing.edges == [
        (str(u), str(v)) for u in range(7) for v in range(7) if INCEPTION[u][v]
    ]


def test_query_has_the_official_keys_and_types(table: Table) -> None:
    bench = api.NASBench(table, seed=0)
    data = bench.query(spec_of(table, 3))
    assert list(data) == [
        "module_adjacency",
        "module_operations",
        "trainable_parameters",
        "training_time",
        "train_accuracy",
        "validation_accuracy",
        "test_accuracy",
    ]
    cell = table.cells[3]
    assert data["module_adjacency"].dtype == np.int8
    assert data["module_adjacency"].tolist() == cell.adjacency.tolist()
    assert data["module_operations"] == list(cell.operations)
    assert type(data["trainable_parameters"]) is int
    assert data["trainable_parameters"] == cell.trainable_parameters
    assert all(type(data[name]) is float for name in list(data)[3:])
    runs = table.metrics[3, 3, :, 1].tolist()
    assert [data[name] for name in list(data)[3:]] in runs


def test_query_draws_every_run_and_only_them(table: Table) -> None:
    bench = api.NASBench(table, seed=1)
    spec = spec_of(table, 0)
    seen = {bench.query(spec, 36)["validation_accuracy"] for _ in range(100)}
    assert seen == set(table.metrics[0, 2, :, 1, 2].tolist())


def test_one_seed_gives_one_sequence_as_the_official_package_draws_it(table: Table) -> None:
    import random

    a, b = api.NASBench(table, seed=5), api.NASBench(table, seed=5)
    spec = spec_of(table, 1)
    first = [a.query(spec)["test_accuracy"] for _ in range(20)]
    assert first == [b.query(spec)["test_accuracy"] for _ in range(20)]
    official = random.Random(5)
    runs = table.metrics[1, 3, :, 1, 3].tolist()
    assert first == [runs[official.randint(0, 2)] for _ in range(20)]


def test_budget_counters(table: Table) -> None:
    bench = api.NASBench(table, seed=2)
    assert bench.get_budget_counters() == (0.0, 0)
    spec = spec_of(table, 2)
    first = bench.query(spec, epochs=12)["training_time"]
    second = bench.query(spec, epochs=108, stop_halfway=True)
    assert second["training_time"] in table.metrics[2, 3, :, 0, 0].tolist()
    assert second["test_accuracy"] in table.metrics[2, 3, :, 0, 3].tolist()
    assert bench.get_budget_counters() == (first + second["training_time"], 12 + 54)
    bench.is_valid(spec)
    bench.get_metrics_from_spec(spec)
    assert bench.total_epochs_spent == 66
    bench.reset_budget_counters()
    assert (bench.training_time_spent, bench.total_epochs_spent) == (0.0, 0)


def test_metrics_of_a_hash(table: Table) -> None:
    bench = api.NASBench(table)
    digest = table.hashes[4].decode()
    fixed, computed = bench.get_metrics_from_hash(digest)
    assert set(fixed) == {"module_adjacency", "module_operations", "trainable_parameters"}
    assert list(computed) == [4, 12, 36, 108]
    assert [len(runs) for runs in computed.values()] == [3] * 4
    names = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
    for b, epochs in enumerate((4, 12, 36, 108)):
        for r in range(3):
            expected = {
                f"{point}_{name}": float(table.metrics[4, b, r, p, m])
                for p, point in enumerate(("halfway", "final"))
                for m, name in enumerate(names)
            }
            assert computed[epochs][r] == expected
    fixed["module_operations"].append("changed")
    computed[4].clear()
    again = bench.get_metrics_from_spec(spec_of(table, 4))
    assert len(again[0]["module_operations"]) == table.cells[4].num_vertices
    assert len(again[1][4]) == 3


def test_hash_iterator_and_statistics(table: Table) -> None:
    bench = api.NASBench(table)
    hashes = list(bench.hash_iterator())
    assert hashes == [h.decode() for h in table.hashes.tolist()]
    assert len(bench.hash_iterator()) == len(bench.computed_statistics) == len(table)
    assert hashes[0] in bench.fixed_statistics
    assert "0" * 32 not in bench.computed_statistics
    assert json.dumps(bench.computed_statistics[hashes[0]])
    assert bench.valid_epochs == {4, 12, 36, 108}


def test_config_has_the_official_settings(table: Table) -> None:
    config = api.NASBench(table).config
    assert config["available_ops"] == [C3, C1, POOL]
    assert (config["module_vertices"], config["max_edges"], config["num_repeats"]) == (7, 9, 3)
    assert (config["batch_size"], config["train_epochs"], config["train_seconds"]) == (
        256,
        108,
        14400.0,
    )


_LINE = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]


def _chain(v: int) -> list[list[int]]:
    return np.eye(v, k=1, dtype=int).tolist()  # type: ignore[no-any-return]


OUTSIDE = {
    "disconnected": (np.zeros((3, 3), int), ["input", C3, "output"]),
    "too many vertices": (_chain(8), ["input", *[C3] * 6, "output"]),
    "too many edges": (np.triu(np.ones((5, 5), int), 1), ["input", *[C3] * 3, "output"]),
    "first operation": (_LINE, [C3, C3, "output"]),
    "last operation": (_LINE, ["input", C3, C3]),
    "unsupported op conv5x5": (_LINE, ["input", "conv5x5", "output"]),
    "0 and 1 only": (2 * np.array(_LINE), ["input", C3, "output"]),
}


@pytest.mark.parametrize("message", OUTSIDE)
def test_cells_outside_of_the_space(table: Table, message: str) -> None:
    bench = api.NASBench(table)
    matrix, ops = OUTSIDE[message]
    spec = api.ModelSpec(matrix, ops)  # type: ignore[arg-type]
    assert not bench.is_valid(spec)
    for call in (bench.check_spec, bench._check_spec, bench.query, bench.get_metrics_from_spec):
        with pytest.raises(api.OutOfDomainError, match=message):
            call(spec)
    assert bench.get_budget_counters() == (0.0, 0)


def test_the_six_edges_of_a_complete_graph_of_four_are_fine(table: Table) -> None:
    spec = api.ModelSpec(np.triu(np.ones((4, 4), int), 1), ["input", C3, POOL, "output"])
    assert api.NASBench(table).is_valid(spec)


def test_other_epochs_are_outside_of_the_domain(table: Table) -> None:
    with pytest.raises(api.OutOfDomainError, match=r"invalid number of epochs, .* got 50"):
        api.NASBench(table).query(spec_of(table, 0), epochs=50)


def test_a_cell_that_the_table_lacks(table: Table) -> None:
    bench = api.NASBench(table.subset(slice(1, None)))
    spec = spec_of(table, 0)
    assert bench.is_valid(spec)
    digest = table.hashes[0].decode()
    for error in (api.NotMeasuredError, api.OutOfDomainError, KeyError, PygNasError):
        with pytest.raises(error, match=digest):
            bench.query(spec)
    with pytest.raises(KeyError):
        bench.get_metrics_from_hash(digest)


def test_unmeasured_runs_are_never_drawn(small_table: Table) -> None:
    bench = api.NASBench(small_table, seed=0)  # run 2 is not measured
    spec = spec_of(small_table, 0)
    assert len(bench.get_metrics_from_spec(spec)[1][108]) == 2
    seen = {bench.query(spec)["test_accuracy"] for _ in range(50)}
    assert seen == set(small_table.metrics[0, 3, :2, 1, 3].tolist())


def test_what_is_not_measured_raises(table: Table) -> None:
    table.metrics[:, 0] = np.nan  # nothing at 4 epochs
    table.metrics[0, 1] = np.nan  # nothing of cell 0 at 12
    table.metrics[0, 2, :, :, 0] = np.nan  # no times of cell 0 at 36
    table.metrics[0, 3, :, 1, 3] = np.nan  # no final test accuracy of cell 0 at 108
    bench = api.NASBench(table)
    spec = spec_of(table, 0)
    assert bench.valid_epochs == {12, 36, 108}
    with pytest.raises(api.OutOfDomainError, match="invalid number of epochs"):
        bench.query(spec, epochs=4)
    for epochs in (12, 36):
        with pytest.raises(api.NotMeasuredError, match=f"no run at {epochs} epochs"):
            bench.query(spec, epochs=epochs)
    data = bench.query(spec)
    assert 0 <= data["validation_accuracy"] <= 1
    with pytest.raises(api.NotMeasuredError, match="'test_accuracy' is not measured"):
        data["test_accuracy"]
    run = bench.get_metrics_from_spec(spec)[1][108][0]
    assert "halfway_test_accuracy" in run
    with pytest.raises(KeyError):
        run["final_test_accuracy"]


def test_the_real_sample_answers_what_it_has(real_table_path: Path) -> None:
    bench = api.NASBench(real_table_path)
    spec = spec_of(bench.table, 0)
    data = bench.query(spec)
    assert data["validation_accuracy"] == float(bench.table.metrics[0, 3, 0, 1, 2])
    assert bench.get_budget_counters() == (data["training_time"], 108)
    with pytest.raises(api.NotMeasuredError):
        data["test_accuracy"]
    with pytest.raises(api.NotMeasuredError):
        bench.query(spec, stop_halfway=True)


def test_opens_hdf5_and_tfrecord_alike(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYG_NAS_CACHE", str(tmp_path / "cache"))
    table.save(tmp_path / "t.hdf5")
    write_official(table, tmp_path / "t.tfrecord")
    spec = spec_of(table, 0)
    expected = api.NASBench(table).get_metrics_from_spec(spec)[1]
    for name in ("t.hdf5", "t.tfrecord"):
        assert api.NASBench(str(tmp_path / name)).get_metrics_from_spec(spec)[1] == expected
    (cached,) = (tmp_path / "cache").iterdir()
    # The second time the cache answers; a damaged one is made again; a changed file is not it.
    stamp = cached.stat().st_mtime_ns
    api.NASBench(tmp_path / "t.tfrecord")
    assert cached.stat().st_mtime_ns == stamp
    cached.write_bytes(b"damaged")
    assert api.NASBench(tmp_path / "t.tfrecord").get_metrics_from_spec(spec)[1] == expected
    write_official(table.subset([1, 2]), tmp_path / "t.tfrecord")
    assert len(api.NASBench(tmp_path / "t.tfrecord").table) == 2


def test_a_cache_that_cannot_be_written_costs_a_warning(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PYG_NAS_CACHE", str(tmp_path / "file" / "cache"))
    write_official(table, tmp_path / "t.tfrecord")
    with pytest.warns(UserWarning, match=r"cannot be written \(.*PYG_NAS_CACHE") as caught:
        bench = api.NASBench(tmp_path / "t.tfrecord")
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(bench.table.metrics, table.metrics)


def test_a_file_that_is_neither_table_nor_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYG_NAS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "t.txt").write_text("hello, these are no records")
    with pytest.raises(RecordError, match=r"t\.txt"):
        api.NASBench(tmp_path / "t.txt")
    assert not (tmp_path / "cache").exists()


def test_invalid_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file"):
        api.NASBench(tmp_path / "none.hdf5")
    (tmp_path / "bad.hdf5").write_bytes(b"no HDF5")
    with pytest.raises(TableError, match="not a readable HDF5"):
        api.NASBench(tmp_path / "bad.hdf5")


def test_tables_of_other_spaces_are_refused(table: Table) -> None:
    space = SearchSpace("own", ("a", "b", "c"), 7, 9, ("output", "input"))
    cells = type(table.cells)(
        table.cells.adjacency, table.cells.operations, table.cells.num_vertices, space
    )
    with pytest.raises(TableError, match="'own'"):
        api.NASBench(Table(cells, table.metrics))


def _official_object(table: Table) -> SimpleNamespace:
    """What the official package has in memory, in its own layout of dictionaries."""
    fixed, computed = {}, {}
    for row, digest in enumerate(table.hashes.tolist()):
        cell = table.cells[row]
        fixed[digest.decode()] = {
            "module_adjacency": np.array(cell.adjacency),
            "module_operations": list(cell.operations),
            "trainable_parameters": cell.trainable_parameters,
        }
        computed[digest.decode()] = {
            epochs: [
                {
                    f"{point}_{name}": float(table.metrics[row, b, r, p, m])
                    for p, point in enumerate(("halfway", "final"))
                    for m, name in enumerate(
                        ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
                    )
                }
                for r in range(3)
            ]
            for b, epochs in enumerate(table.budgets)
        }
    return SimpleNamespace(
        fixed_statistics=fixed,
        computed_statistics=computed,
        valid_epochs=set(table.budgets),
        hash_iterator=fixed.keys,
    )


def test_table_from_the_official_object(table: Table) -> None:
    official = _official_object(table)
    back = api.table_from_nasbench(official)
    assert back.cells == table.cells
    np.testing.assert_array_equal(back.metrics, table.metrics)
    np.testing.assert_array_equal(back.trainable_parameters, table.trainable_parameters)
    # Only 108 epochs: the other budgets are missing.
    for runs in official.computed_statistics.values():
        for epochs in (4, 12, 36):
            del runs[epochs]
    back = api.table_from_nasbench(official)
    assert back.budgets == (4, 12, 36, 108)
    assert np.isnan(back.metrics[:, :3]).all()
    np.testing.assert_array_equal(back.metrics[:, 3], table.metrics[:, 3])


def test_an_inconsistent_official_object_is_refused(table: Table) -> None:
    official = _official_object(table)
    digest = next(iter(official.fixed_statistics))
    other = list(official.fixed_statistics)[1]
    official.fixed_statistics[digest] = official.fixed_statistics[other]
    with pytest.raises(TableError, match=digest):
        api.table_from_nasbench(official)


def test_a_file_changed_in_its_middle_is_not_the_cached_one(
    small_table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYG_NAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("pyg_nas.nasbench.api._STAMP_BYTES", 64)
    table, path = full_table(small_table), tmp_path / "t.tfrecord"
    write_official(table, path)
    size = path.stat().st_size
    api.NASBench(path)
    table.metrics[10, 3] *= np.float32(0.5)
    write_official(table, path)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
    assert path.stat().st_size == size
    np.testing.assert_array_equal(api.NASBench(path).table.metrics, table.metrics)


def test_a_run_of_which_only_the_time_is_known_is_never_drawn(small_table) -> None:
    table = full_table(small_table)
    table.metrics[0, 3, 1:, 1, 1:] = np.nan
    bench = api.NASBench(table, seed=0)
    spec = spec_of(table, 0)
    times = {bench.query(spec)["training_time"] for _ in range(30)}
    assert times == {float(table.metrics[0, 3, 0, 1, 0])}
    table.metrics[0, 3, 0, 1, 1:] = np.nan
    with pytest.raises(api.NotMeasuredError, match="no run at 108 epochs"):
        api.NASBench(table).query(spec)


def test_an_official_object_of_fewer_runs_has_room_for_three(small_table) -> None:
    table = full_table(small_table)
    official = _official_object(table)
    for budgets in official.computed_statistics.values():
        for runs in budgets.values():
            del runs[1:]
    back = api.table_from_nasbench(official)
    assert back.num_runs == 3
    np.testing.assert_array_equal(back.metrics[:, :, 0], table.metrics[:, :, 0])
    assert np.isnan(back.metrics[:, :, 1:]).all()


def draws(bench: api.NASBench, table: Table, n: int = 30) -> list[float]:
    specs = [spec_of(table, row % len(table)) for row in range(n)]
    return [float(bench.query(spec)["validation_accuracy"]) for spec in specs]


def test_draws_come_from_the_random_module(table: Table) -> None:
    bench = api.NASBench(table)
    random.seed(1)
    first = draws(bench, table)
    random.seed(1)
    assert draws(bench, table) == first
    assert draws(bench, table) != first
    random.seed(1)
    assert draws(api.NASBench(table), table) == first  # making an object draws nothing
    random.seed(1)
    expected = []
    for row in range(30):
        run = random.randint(0, 2)
        expected.append(float(table.metrics[row % 20, 3, run, 1, 2]))
    assert first == expected


def test_an_own_seed_does_not_touch_the_random_module(table: Table) -> None:
    random.seed(5)
    state = random.getstate()
    first = draws(api.NASBench(table, seed=3), table)
    assert random.getstate() == state
    assert draws(api.NASBench(table, seed=3), table) == first
    assert draws(api.NASBench(table, seed=4), table) != first


@pytest.mark.parametrize("seed", [None, 3])
def test_forked_workers_draw_different_runs(table: Table, seed: int | None) -> None:
    bench = api.NASBench(table, seed=seed)
    random.seed(1)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = [pool.apply_async(draws, (bench, table), callback=None).get(60) for _ in range(2)]
    assert results[0] != results[1]
    assert draws(bench, table) not in results


CHANGES: dict[str, Any] = {
    "append to operations": lambda b, h: b.fixed_statistics[h]["module_operations"].append("x"),
    "extend operations": lambda b, h: b.fixed_statistics[h]["module_operations"].extend("x"),
    "sort operations": lambda b, h: b.fixed_statistics[h]["module_operations"].sort(),
    "set an operation": lambda b, h: b.fixed_statistics[h]["module_operations"].__setitem__(0, ""),
    "set an edge": lambda b, h: b.fixed_statistics[h]["module_adjacency"].__setitem__((0, 1), 5),
    "set parameters": lambda b, h: b.fixed_statistics[h].update(trainable_parameters=1),
    "add a key": lambda b, h: b.fixed_statistics[h].setdefault("mine", 1),
    "remove a key": lambda b, h: b.fixed_statistics[h].pop("module_operations"),
    "remove a cell": lambda b, h: b.fixed_statistics.__delitem__(h),
    "set a cell": lambda b, h: b.fixed_statistics.__setitem__(h, {}),
    "append a run": lambda b, h: b.computed_statistics[h][108].append({}),
    "set a number": lambda b, h: b.computed_statistics[h][108][0].__setitem__("final", 0.5),
    "clear numbers": lambda b, h: b.computed_statistics[h][108][0].clear(),
    "remove a budget": lambda b, h: b.computed_statistics[h].pop(4),
    "add to hashes": lambda b, h: b.hash_iterator().add(h),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_no_change_of_a_table_s_numbers_is_lost_without_a_word(table: Table, change: Any) -> None:
    bench = api.NASBench(table)
    digest = next(iter(bench.hash_iterator()))
    before = copy.deepcopy(bench.get_metrics_from_hash(digest))
    with pytest.raises((TypeError, ValueError, AttributeError)):
        change(bench, digest)
    after = bench.get_metrics_from_hash(digest)
    assert str(before) == str(after)


def test_copies_of_a_table_s_numbers_may_be_changed(table: Table) -> None:
    bench = api.NASBench(table)
    digest = next(iter(bench.hash_iterator()))
    copies = [
        bench.get_metrics_from_hash(digest),
        copy.deepcopy((bench.fixed_statistics[digest], bench.computed_statistics[digest])),
        pickle.loads(
            pickle.dumps((bench.fixed_statistics[digest], bench.computed_statistics[digest]))
        ),
    ]
    for fixed, computed in copies:
        fixed["module_operations"].append("x")
        fixed["module_adjacency"][0, 1] = 5
        fixed["mine"] = computed[108][0].pop("final_test_accuracy")
        computed[108].append({})
        with pytest.raises(api.NotMeasuredError):
            computed[108][0]["final_test_accuracy"]
    ops = bench.fixed_statistics[digest]["module_operations"]
    assert isinstance(ops, list)
    assert type(ops.copy()) is type(ops[1:-1]) is list
    json.dumps(ops)


def test_one_changed_line_is_enough(table: Table) -> None:
    from pyg_nas.nasbench import api as module
    from pyg_nas.nasbench.lib import config, graph_util, model_spec

    assert module.NASBench is api.NASBench
    assert module.ModelSpec is model_spec.ModelSpec is api.ModelSpec
    assert module.OutOfDomainError is api.OutOfDomainError
    assert config.build_config() == module.NASBench(table).config
    spec = module.ModelSpec(INCEPTION, INCEPTION_OPS)
    labels = [-1, 1, 0, 0, 0, 2, -2]
    digest = graph_util.hash_module(spec.matrix, labels)
    assert digest == spec.hash_spec(config.build_config()["available_ops"])


def test_an_official_object_without_parameters_is_refused(table: Table) -> None:
    fixed = {h: dict(v) for h, v in api.NASBench(table).fixed_statistics.items()}
    del fixed[next(iter(fixed))]["trainable_parameters"]
    official = SimpleNamespace(
        fixed_statistics=fixed,
        computed_statistics=api.NASBench(table).computed_statistics,
        hash_iterator=fixed.keys,
    )
    with pytest.raises(TableError, match="lacks 'trainable_parameters'"):
        api.table_from_nasbench(official)
