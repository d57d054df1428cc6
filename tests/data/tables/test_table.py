from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from sklearn.model_selection import KFold, cross_val_score

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import TableError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.baselines import ParameterCountRegressor
from tests.spaces.nasbench101.tables import same as same_numbers
from tests.spaces.nasbench101.test_tfrecord_reader import HASH, PARAMETERS

# One row by hand: input -> 3x3 convolution -> output with a skip.
HAND = {
    "hash": np.array([HASH.encode()], dtype="S32"),
    "num_vertices": np.array([3], dtype=np.int8),
    "trainable_parameters": np.array([PARAMETERS], dtype=np.int32),
    "adjacency": np.zeros((1, 7, 7), dtype=np.int8),
    "operations": np.array([[-1, 0, -2, 0, 0, 0, 0]], dtype=np.int8),
    "metrics": np.full((1, 4, 3, 2, 4), 0.5, dtype=np.float32),
}
HAND["adjacency"][0, 0, 1] = HAND["adjacency"][0, 0, 2] = HAND["adjacency"][0, 1, 2] = 1


def write_hand(path: Path, settings: Any = None, **changes: Any) -> Path:
    """Write the hand-made row with h5py alone, as other projects' files of this layout are."""
    columns = {name: changes.get(name, column) for name, column in HAND.items()}
    with h5py.File(path, "w") as file:
        for name, column in columns.items():
            if column is not None:
                file.create_dataset(name, data=column)
        if settings is not None:
            file.attrs["pyg_nas"] = settings
    return path


def with_value(name: str, index: tuple[int, ...], value: float) -> dict[str, Any]:
    column = HAND[name].copy()
    column[index] = value
    return {name: column}


def same(a: Table, b: Table) -> bool:
    return a.about == b.about and same_numbers(a, b)


def test_reads_a_hand_made_file_without_attributes(tmp_path: Path) -> None:
    table = Table.load(write_hand(tmp_path / "t.hdf5"))
    assert table.budgets == (4, 12, 36, 108)
    assert table.cells[0].operations == ("input", "conv3x3-bn-relu", "output")
    assert table.index_of(HASH) == 0
    assert table.label().tolist() == [0.5]
    assert table.about == {}
    table.check()


def test_reads_wider_types_whose_values_fit(tmp_path: Path) -> None:
    wide = {
        "num_vertices": HAND["num_vertices"].astype(np.int64),
        "adjacency": HAND["adjacency"].astype(bool),
        "operations": HAND["operations"].astype(np.int64),
        "trainable_parameters": HAND["trainable_parameters"].astype(np.int64),
        "metrics": HAND["metrics"].astype(np.float64),
    }
    plain = Table.load(write_hand(tmp_path / "a.hdf5"))
    assert same(Table.load(write_hand(tmp_path / "b.hdf5", **wide)), plain)


SETTINGS: dict[str, Any] = {
    "space": {
        "name": "nasbench101",
        "operations": ["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"],
        "max_vertices": 7,
        "max_edges": 9,
        "terminals": ["output", "input"],
    },
    "budgets": [4, 12, 36, 108],
    "about": {},
}

WRONG_FILES: dict[str, tuple[dict[str, Any], str]] = {
    "no metrics": ({"metrics": None}, "the dataset 'metrics' is missing"),
    "no hash": ({"hash": None}, "the dataset 'hash' is missing"),
    "text operations": ({"operations": np.array([[b"a"] * 7])}, "operations must have 2"),
    "flat adjacency": ({"adjacency": HAND["adjacency"].reshape(1, 49)}, "adjacency must have 3"),
    "integer metrics": ({"metrics": HAND["metrics"].astype(int)}, "metrics must have 5"),
    "hash length": ({"hash": np.array([b"abc"])}, "hash must be S32"),
    "rows": ({"num_vertices": np.array([3, 3], np.int8)}, "num_vertices has 2 cells, hash has 1"),
    "vertices differ": ({"operations": np.zeros((1, 6), np.int8)}, r"must be \[N, V, V\]"),
    "three budgets": ({"metrics": HAND["metrics"][:, :3]}, "metrics must be"),
    "three metrics": ({"metrics": HAND["metrics"][..., :3]}, "metrics must be"),
    "one point": ({"metrics": HAND["metrics"][:, :, :, :1]}, "metrics must be"),
    "no run": ({"metrics": HAND["metrics"][:, :, :0]}, "metrics must be"),
    "beyond int8": ({"operations": np.array([[-1, 300, -2, 0, 0, 0, 0]])}, "outside the range"),
    "infinite": (with_value("metrics", (0, 1, 1, 1, 1), np.inf), "must be finite"),
    "padding": (with_value("adjacency", (0, 3, 4), 1), "zero beyond num_vertices"),
    "operation padding": (with_value("operations", (0, 5), 1), "zero beyond num_vertices"),
    "two": (with_value("adjacency", (0, 0, 1), 2), "0 and 1 only"),
    "lower triangle": (with_value("adjacency", (0, 2, 0), 1), "upper triangular"),
    "unknown operation": (with_value("operations", (0, 1), 3), "others of the space"),
    "no input": (with_value("operations", (0, 0), 0), "first operation"),
    "off the path": (with_value("adjacency", (0, 1, 2), 0), "on a path"),
    "no vertices": ({"num_vertices": np.array([0], np.int8)}, "num_vertices must be 2 to 7"),
    "many vertices": ({"num_vertices": np.array([8], np.int8)}, "num_vertices must be 2 to 7"),
    "negative vertices": ({"num_vertices": np.array([-1], np.int8)}, "num_vertices must be 2"),
    "other hash": ({"hash": np.array([b"0" * 32])}, f"does not match its graph, .*{HASH}"),
    "hash not text": ({"hash": np.array([b"\xff" * 32])}, "does not match its graph"),
    "other cell": (with_value("operations", (0, 1), 1), "does not match its graph"),
    "settings no JSON": ({"settings": "{"}, "not JSON"),
    "settings number": ({"settings": 5}, "pyg_nas"),
    "settings list": ({"settings": "[]"}, "needs the keys space, budgets, about"),
    "settings keys": ({"settings": '{"space": {}}'}, "needs the keys"),
    "budgets text": (
        {"settings": json.dumps({**SETTINGS, "budgets": "4"})},
        "budgets must be a list",
    ),
    "budgets order": (
        {"settings": json.dumps({**SETTINGS, "budgets": [12, 4, 36, 108]})},
        "ascending",
    ),
    "budgets zero": (
        {"settings": json.dumps({**SETTINGS, "budgets": [0, 4, 36, 108]})},
        "ascending positive",
    ),
    "about": ({"settings": json.dumps({**SETTINGS, "about": 1})}, "about an object"),
    "space": ({"settings": json.dumps({**SETTINGS, "space": {"name": "x"}})}, "needs exactly"),
    "twice": (
        {name: np.concatenate([column, column]) for name, column in HAND.items()},
        f"{HASH} appears more than once",
    ),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_invalid_files_are_refused_by_name(tmp_path: Path, case: str) -> None:
    changes, message = WRONG_FILES[case]
    path = write_hand(tmp_path / "t.hdf5", **changes)
    before = path.read_bytes()
    with pytest.raises(TableError, match=rf"t\.hdf5: .*{message}"):
        Table.load(path)
    assert path.read_bytes() == before


def test_a_group_in_place_of_a_dataset_is_refused(tmp_path: Path) -> None:
    path = write_hand(tmp_path / "t.hdf5", metrics=None)
    with h5py.File(path, "a") as file:
        file.create_group("metrics")
    with pytest.raises(TableError, match="'metrics' is not a dataset"):
        Table.load(path)


def test_a_file_that_claims_terabytes_is_refused(tmp_path: Path) -> None:
    path = write_hand(tmp_path / "t.hdf5", metrics=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("metrics", (10**10, 4, 3, 2, 4), "f4", chunks=(1024, 4, 3, 2, 4))
    with pytest.raises(TableError, match="not all of its values are stored"):
        Table.load(path)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = write_hand(tmp_path / "whole.hdf5").read_bytes()
    path = tmp_path / "t.hdf5"
    for length in range(0, len(whole), max(1, len(whole) // 200)):
        path.write_bytes(whole[:length])
        with pytest.raises(TableError, match=r"t\.hdf5"):
            Table.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file"):
        Table.load(tmp_path / "none.hdf5")
    with pytest.raises(TableError, match="is a folder, a file is needed"):
        Table.load(tmp_path)
    (tmp_path / "text.hdf5").write_text("hash,accuracy\n")
    with pytest.raises(TableError, match="not a readable HDF5 file"):
        Table.load(tmp_path / "text.hdf5")


def test_saved_tables_come_back(small_table: Table, tmp_path: Path) -> None:
    table = small_table.subset(slice(0, 50))
    table.about = {"task": "digits", "seeds": [1, 2]}
    table.save(tmp_path / "t.hdf5")
    assert same(Table.load(tmp_path / "t.hdf5"), table)
    with h5py.File(tmp_path / "t.hdf5") as file:
        types = {name: file[name].dtype.str for name in file}
    assert types == {
        "hash": "|S32",
        "num_vertices": "|i1",
        "trainable_parameters": "<i4",
        "adjacency": "|i1",
        "operations": "|i1",
        "metrics": "<f4",
    }


@pytest.mark.parametrize("n", [0, 1])
def test_tiny_tables_come_back(small_table: Table, tmp_path: Path, n: int) -> None:
    table = small_table.subset(np.arange(n))
    table.save(tmp_path / "t.hdf5")
    assert same(Table.load(tmp_path / "t.hdf5"), table)


def test_tables_of_other_spaces_come_back(tmp_path: Path) -> None:
    space = SearchSpace("own", ("a", "b"), 3, 2)
    cells = CellArray.from_cells(
        [Cell([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["a", "b", "b"], space), Cell([[0]], ["a"], space)]
    )
    metrics = np.full((2, 1, 5, 2, 4), np.nan, dtype=np.float32)
    table = Table(cells, metrics, budgets=(7,))
    table.save(tmp_path / "t.hdf5")
    back = Table.load(tmp_path / "t.hdf5")
    assert same(back, table)
    assert back.space == space
    assert back.trainable_parameters.tolist() == [-1, -1]
    back.check()


def test_the_real_sample_is_valid(real_table: Table) -> None:
    assert len(real_table) == 20_001
    real_table.check()
    label = real_table.label(LabelPolicy(budget=108, resample_below=None))
    assert np.isfinite(label).all()
    assert 0.88 < label.mean() < 0.92


def test_look_up_by_hash_and_by_cell(small_table: Table) -> None:
    cell = small_table.cells[17]
    assert small_table.index_of(cell) == small_table.index_of(cell.hash) == 17
    assert cell in small_table
    assert cell.hash in small_table
    assert "0" * 32 not in small_table
    assert 5 not in small_table
    with pytest.raises(TableError, match=f"{'0' * 32} is not among"):
        small_table.index_of("0" * 32)


def test_scikit_learn_splits_a_table(small_table: Table) -> None:
    seen: list[Table] = []

    class Recording(ParameterCountRegressor):
        def fit(self, X: Table, y: np.ndarray) -> Recording:
            seen.append(X)
            return super().fit(X, y)

        def predict(self, X: Table) -> np.ndarray:
            seen.append(X)
            return super().predict(X)

    y = small_table.label()
    splitter = KFold(3)
    scores = cross_val_score(Recording(), small_table, y, cv=splitter, scoring="r2")
    folds = list(splitter.split(y))
    assert len(seen) == 2 * len(folds)
    for (train, held), fitted, predicted in zip(folds, seen[::2], seen[1::2], strict=True):
        assert same(fitted, small_table.subset(train))
        assert same(predicted, small_table.subset(held))
    bare = cross_val_score(ParameterCountRegressor(), small_table.cells, y, cv=splitter)
    np.testing.assert_allclose(scores, bare)


def test_a_table_has_no_single_rows(small_table: Table) -> None:
    with pytest.raises(TypeError, match=r"indexed by rows, \[3\] or a slice, got 3"):
        small_table[3]
    with pytest.raises(TypeError, match="indexed by rows"):
        list(small_table)


def test_subsets_keep_the_order_given(small_table: Table) -> None:
    mask = np.zeros(300, dtype=bool)
    mask[[3, 8]] = True
    for rows, expected in (([8, 3], [8, 3]), (slice(2, 4), [2, 3]), (mask, [3, 8]), ([], [])):
        part = small_table.subset(rows)
        assert part.hashes.tolist() == small_table.hashes[expected].tolist()
        np.testing.assert_array_equal(part.metrics, small_table.metrics[expected])
        assert part.cells == small_table.cells[np.array(expected, dtype=int)]


def test_a_full_disk_is_an_error_that_names_the_file(
    small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space left on device: .*t\.hdf5"):
        small_table.save(tmp_path / "t.hdf5")
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_be_loaded_is_not_saved(small_table: Table, tmp_path: Path) -> None:
    path = tmp_path / "t.hdf5"
    small_table.subset([0, 1]).save(path)
    before = path.read_bytes()
    infinite = small_table.subset([0, 1, 2])
    infinite.metrics[1, 0, 0, 1, 1] = np.inf
    mistaken = small_table.subset([0, 1])
    mistaken.hashes = mistaken.hashes[::-1]
    for table, message in (
        (small_table.subset([0, 1, 0]), r"appears more than once, in the rows 0, 2; keep"),
        (infinite, "cell 1: metrics must be finite, or NaN for not measured"),
        (mistaken, "cell 0: the stored hash .* does not match its graph"),
    ):
        with pytest.raises(TableError, match=rf"t\.hdf5: .*{message}"):
            table.save(path)
        assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.hdf5"]


def test_concatenation(small_table: Table) -> None:
    parts = [small_table.subset(slice(0, 10)), small_table.subset(slice(10, 30))]
    assert same(Table.concatenate(parts), small_table.subset(slice(0, 30)))
    with pytest.raises(TableError, match="appears more than once"):
        Table.concatenate([parts[0], parts[0]])
    with pytest.raises(TableError, match="nothing to concatenate"):
        Table.concatenate([])
    other = Table(parts[1].cells, parts[1].metrics[:, :1], budgets=(4,))
    with pytest.raises(TableError, match="cannot join tables with budgets"):
        Table.concatenate([parts[0], other])
    fewer = Table(parts[1].cells, parts[1].metrics[:, :, :1])
    with pytest.raises(TableError, match="cannot join tables with num_runs"):
        Table.concatenate([parts[0], fewer])


def test_what_joined_tables_are_about(small_table: Table) -> None:
    parts = [small_table.subset(slice(0, 10)), small_table.subset(slice(10, 30))]
    parts[0].about = {"task": "digits", "place": "here", "seed": 1}
    parts[1].about = {"task": "digits", "place": "there"}
    assert Table.concatenate(parts).about == {"task": "digits"}
    parts[1].about = {"task": "cifar10"}
    with pytest.raises(TableError, match="cannot join tables of task 'digits' and 'cifar10'"):
        Table.concatenate(parts)


def test_coverage_counts_cells_and_runs(small_table: Table) -> None:
    np.testing.assert_allclose(small_table.coverage, np.full((4, 2, 4), 2 / 3))
    assert not small_table.subset([]).coverage.any()


def test_minus_infinity_is_refused(tmp_path: Path) -> None:
    path = write_hand(tmp_path / "t.hdf5", **with_value("metrics", (0, 1, 1, 1, 1), -np.inf))
    with pytest.raises(TableError, match="must be finite"):
        Table.load(path)


def test_targets_are_stored_cut_and_joined(tmp_path: Path, small_table: Table) -> None:
    latency = np.arange(300, dtype=float)
    latency[7] = np.nan
    table = Table(
        small_table.cells, small_table.metrics, targets={"latency_gpu": latency, "auc": latency / 9}
    )
    table.save(tmp_path / "t.hdf5")
    loaded = Table.load(tmp_path / "t.hdf5")
    assert list(loaded.targets) == ["auc", "latency_gpu"]
    np.testing.assert_array_equal(loaded.targets["latency_gpu"], latency)
    parts = [loaded.subset(np.arange(5)), loaded[10:12]]
    np.testing.assert_array_equal(parts[1].label(LabelPolicy("latency_gpu")), [10, 11])
    joined = Table.concatenate(parts)
    np.testing.assert_array_equal(joined.targets["auc"], latency[[0, 1, 2, 3, 4, 10, 11]] / 9)
    with pytest.raises(TableError, match="targets auc, latency_gpu and none"):
        Table.concatenate([parts[0], small_table[20:30]])


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"test_accuracy": np.zeros(300)}, "'test_accuracy' must have a name .* other than"),
        ({"": np.zeros(300)}, "'' must have a name"),
        ({"a/b": np.zeros(300)}, "'a/b' must have a name"),
        ({"a": np.zeros(299)}, r"'a' must be \[300\] numbers.*\[299\]"),
        ({"a": np.full(300, np.inf)}, "or NaN for not"),
    ],
)
def test_invalid_targets_are_refused(
    small_table: Table, targets: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(TableError, match=message):
        Table(small_table.cells, small_table.metrics, targets=targets)
