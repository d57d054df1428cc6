"""Replacement of ``nasbench.api``, the official NAS-Bench-101 package, without TensorFlow.

``from pyg_nas import nasbench as api`` runs scripts written for the official package::

    bench = api.NASBench("nasbench_only108.tfrecord")   # or a table in HDF5, whole or partial
    spec = api.ModelSpec(
        matrix=[[0, 1, 1], [0, 0, 1], [0, 0, 0]], ops=["input", "conv3x3-bn-relu", "output"]
    )
    bench.query(spec)["validation_accuracy"]

Missing measurements raise :class:`NotMeasuredError`; no result is NaN. Random draws come from the
:mod:`random` module, as in the official package: ``random.seed(1)`` makes them repeatable.
Differences: without ``seed`` that module is not seeded again, and with ``seed`` the object has its
own generator; ``fixed_statistics`` and ``computed_statistics`` are read-only, and changing them is
an error; nothing is printed; ``evaluate``, which trains with TensorFlow, is missing.
Graph functions, cells and settings are in :mod:`pyg_nas.nasbench.lib`. Source:
``nasbench/api.py``.
"""

from __future__ import annotations

import copy
import hashlib
import os
import random
import warnings
from collections.abc import Iterator, KeysView, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import CellError, TableError, first_true
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.files import cache_folder
from pyg_nas.io.formats.hdf5 import HDF5_SUFFIXES
from pyg_nas.io.regular_files import open_regular
from pyg_nas.nasbench.lib.config import build_config
from pyg_nas.nasbench.lib.model_spec import ModelSpec, OutOfDomainError
from pyg_nas.nasbench.statistics import (
    Metrics,
    NotMeasuredError,
    ReadOnlyDict,
    ReadOnlyList,
    ReadOnlyMetrics,
)
from pyg_nas.spaces.measurements import METRICS, RUN_SHAPE
from pyg_nas.spaces.nasbench101 import NASBENCH101, NASBENCH101_BUDGETS

V = TypeVar("V")

_POINTS = ("halfway", "final")
_STAMP_BYTES = 2**20


class NASBench:
    """The official package's query interface on a table.

    Args:
        dataset_file: An official TFRecord file (converted once and then read from the cache
            folder, if that is writable), a table in HDF5, or a
            :class:`~pyg_nas.data.tables.table.Table`.
        seed: Random seed of the draws among a cell's runs. Objects with one seed give the same
            results for the same sequence of queries, except in forked workers, which draw from the
            :mod:`random` module. By default all draws come from that module.

    Attributes:
        config: The settings of the official experiments, as in ``nasbench.lib.config``.
        valid_epochs: Set of the budgets at which anything is measured.
        fixed_statistics: Mapping from hash to adjacency, operations and trainable parameters;
            read-only.
        computed_statistics: Mapping from hash to epochs to a list of the measured runs; read-only.
        training_time_spent: Seconds of training that the queries so far represent.
        total_epochs_spent: Epochs of training that they represent.

    Raises:
        TableError: If the file is missing or a damaged table, or the table is of another space.
        RecordError: If the file is a damaged TFRecord file, or neither that nor a table.
    """

    def __init__(
        self, dataset_file: str | os.PathLike[str] | Table, seed: int | None = None
    ) -> None:
        table = dataset_file if isinstance(dataset_file, Table) else _open(Path(dataset_file))
        if table.space != NASBENCH101:
            raise TableError(
                f"the table's cells are of {table.space.name!r}, NASBench needs "
                f"{NASBENCH101.name!r}"
            )
        self.table = table
        self.config = build_config(table.num_runs)
        self.valid_epochs = {
            epochs for b, epochs in enumerate(table.budgets) if table.measured[:, b].any()
        }
        self.fixed_statistics: Mapping[str, dict[str, Any]] = _FixedStatistics(table)
        self.computed_statistics: Mapping[str, dict[int, list[Metrics]]] = _ComputedStatistics(
            table
        )
        self.history: dict[str, Any] = {}
        self.training_time_spent = 0.0
        self.total_epochs_spent = 0
        self._random = None if seed is None else random.Random(seed)
        self._process = os.getpid()

    def query(
        self, model_spec: ModelSpec, epochs: int = 108, stop_halfway: bool = False
    ) -> dict[str, Any]:
        """Return one of a cell's measured runs, drawn at random, and add its cost to the counters.

        Args:
            model_spec: The cell.
            epochs: Budget, one of ``valid_epochs``.
            stop_halfway: Return, and count, the run's first half only.

        Returns:
            ``module_adjacency``, ``module_operations``, ``trainable_parameters``,
            ``training_time`` (seconds), ``train_accuracy``, ``validation_accuracy`` and
            ``test_accuracy`` (fractions). The run is one of those whose training time and at least
            one accuracy are measured; reading an accuracy that is not measured raises
            :class:`NotMeasuredError`.

        Raises:
            OutOfDomainError: If the cell or the budget is outside of the search domain.
            NotMeasuredError: If the table has no run of the cell at this budget.
        """
        if epochs not in self.valid_epochs:
            raise OutOfDomainError(
                f"invalid number of epochs, must be one of {self.valid_epochs}, got {epochs}"
            )
        fixed, computed = self.get_metrics_from_spec(model_spec)
        prefix = _POINTS[0] if stop_halfway else _POINTS[1]
        runs = [_reading(run, prefix) for run in computed.get(epochs, [])]
        drawable = [run for run in runs if "training_time" in run and len(run) > 1]
        if not drawable:
            raise NotMeasuredError(
                f"cell {self._hash_spec(model_spec)} has no run at {epochs} epochs with its "
                f"{'halfway' if stop_halfway else 'final'} training time and an accuracy measured"
            )
        run = drawable[self._randint(0, len(drawable) - 1)]
        self.training_time_spent += run["training_time"]
        self.total_epochs_spent += epochs // 2 if stop_halfway else epochs
        return Metrics({**fixed, **run})

    def is_valid(self, model_spec: ModelSpec) -> bool:
        """Return whether a cell is in the search space, without changing the counters."""
        try:
            self.check_spec(model_spec)
        except OutOfDomainError:
            return False
        return True

    def check_spec(self, model_spec: ModelSpec) -> None:
        """Check that a cell is in the search space.

        Raises:
            OutOfDomainError: If it is not; the message names the rule.
        """
        matrix, ops = model_spec.matrix, model_spec.ops
        if not model_spec.valid_spec or matrix is None or ops is None:
            raise OutOfDomainError("invalid spec, provided graph is disconnected.")
        if len(ops) > self.config["module_vertices"]:
            raise OutOfDomainError(
                f"too many vertices, got {len(ops)} (max vertices = "
                f"{self.config['module_vertices']})"
            )
        if not np.isin(matrix, (0, 1)).all():
            raise OutOfDomainError("the matrix must contain 0 and 1 only")
        if matrix.sum() > self.config["max_edges"]:
            raise OutOfDomainError(
                f"too many edges, got {matrix.sum()} (max edges = {self.config['max_edges']})"
            )
        if ops[0] != "input":
            raise OutOfDomainError(f"first operation should be 'input', got {ops[0]!r}")
        if ops[-1] != "output":
            raise OutOfDomainError(f"last operation should be 'output', got {ops[-1]!r}")
        for op in ops[1:-1]:
            if op not in self.config["available_ops"]:
                raise OutOfDomainError(
                    f"unsupported op {op} (available ops = {self.config['available_ops']})"
                )

    def get_budget_counters(self) -> tuple[float, int]:
        """Return (training seconds, epochs) spent since the start or the last reset."""
        return self.training_time_spent, self.total_epochs_spent

    def reset_budget_counters(self) -> None:
        """Set both budget counters to zero."""
        self.training_time_spent = 0.0
        self.total_epochs_spent = 0

    def hash_iterator(self) -> KeysView[str]:
        """Return the module hashes of all cells in the table."""
        return self.fixed_statistics.keys()

    def get_metrics_from_hash(
        self, module_hash: str
    ) -> tuple[dict[str, Any], dict[int, list[Metrics]]]:
        """Return all data of a cell, without changing the counters.

        Returns:
            The fixed statistics, and the computed ones: for each measured budget a list of runs,
            each with ``halfway_training_time``, ``halfway_train_accuracy``,
            ``halfway_validation_accuracy``, ``halfway_test_accuracy`` and the same with
            ``final_``. Both are copies, which the caller may change.

        Raises:
            NotMeasuredError: If the table does not have the cell (a ``KeyError`` as well).
        """
        return (
            copy.deepcopy(self.fixed_statistics[module_hash]),
            copy.deepcopy(self.computed_statistics[module_hash]),
        )

    def get_metrics_from_spec(
        self, model_spec: ModelSpec
    ) -> tuple[dict[str, Any], dict[int, list[Metrics]]]:
        """Return all data of a cell, as :meth:`get_metrics_from_hash` does.

        Raises:
            OutOfDomainError: If the cell is outside of the search domain.
            NotMeasuredError: If the table does not have it.
        """
        self.check_spec(model_spec)
        return self.get_metrics_from_hash(self._hash_spec(model_spec))

    def _randint(self, low: int, high: int) -> int:
        # Copies of this object in several workers would draw the same runs; the generator of the
        # module differs between processes.
        own = self._random if self._process == os.getpid() else None
        return random.randint(low, high) if own is None else own.randint(low, high)

    def _hash_spec(self, model_spec: ModelSpec) -> str:
        return model_spec.hash_spec(self.config["available_ops"])

    _check_spec = check_spec  # published code calls the official package's private name


def table_from_nasbench(api_object: Any) -> Table:
    """Return the data of the official package's ``nasbench.api.NASBench`` object as a table.

    Cells have the order of its ``hash_iterator()``. Budgets are 4, 12, 36 and 108 epochs, or those
    of the object if it has others; missing runs are NaN.

    Raises:
        TableError: If the object does not contain NAS-Bench-101.
    """
    fixed, computed = api_object.fixed_statistics, api_object.computed_statistics
    hashes = list(api_object.hash_iterator())
    present = {int(epochs) for h in hashes for epochs in computed[h]}
    official = present <= set(NASBENCH101_BUDGETS)
    budgets = NASBENCH101_BUDGETS if official else tuple(sorted(present))
    num_runs = max([len(runs) for h in hashes for runs in computed[h].values()] + [3])
    shape = (len(hashes), len(budgets), num_runs, *RUN_SHAPE)
    metrics = np.full(shape, np.nan, dtype=np.float32)
    cells = []
    parameters = np.empty(len(hashes), dtype=np.int32)
    for row, digest in enumerate(hashes):
        try:
            cells.append(
                Cell(fixed[digest]["module_adjacency"], fixed[digest]["module_operations"])
            )
            parameters[row] = fixed[digest]["trainable_parameters"]
        except CellError as error:
            raise TableError(f"cell {digest}: {error}") from None
        except KeyError as error:
            raise TableError(f"cell {digest}: the object lacks {error}") from None
        for epochs, runs in computed[digest].items():
            for r, run in enumerate(runs):
                metrics[row, budgets.index(epochs), r] = [
                    [run.get(f"{point}_{name}", np.nan) for name in METRICS] for point in _POINTS
                ]
    table = Table(
        CellArray.from_cells(cells, NASBENCH101),
        metrics,
        budgets,
        {"source": "nasbench.api"},
        trainable_parameters=parameters,
    )
    if (wrong := first_true(table.hashes != np.array(hashes, dtype="S32"))) is not None:
        found = table.hashes[wrong].decode()
        raise TableError(f"cell {hashes[wrong]}: its graph has the hash {found}")
    return table


class _ByHash(Mapping[str, V]):
    """Mapping of the hashes of a table's cells."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __contains__(self, digest: object) -> bool:
        return digest in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.hashes.astype("U32").tolist())

    def __len__(self) -> int:
        return len(self._table)


class _FixedStatistics(_ByHash[dict[str, Any]]):
    """Mapping of hash to ``module_adjacency``, ``module_operations``, ``trainable_parameters``."""

    def __getitem__(self, digest: str) -> dict[str, Any]:
        row = _row(self._table, digest)
        cells = self._table.cells
        v = int(cells.num_vertices[row])
        adjacency = cells.adjacency[row, :v, :v].copy()
        adjacency.flags.writeable = False
        names = NASBENCH101.decode(cells.operations[row, :v].tolist())
        return ReadOnlyDict(
            module_adjacency=adjacency,
            module_operations=ReadOnlyList(names),
            trainable_parameters=int(self._table.trainable_parameters[row]),
        )


class _ComputedStatistics(_ByHash[dict[int, list[Metrics]]]):
    """Mapping of hash to epochs to a list of measured runs."""

    def __getitem__(self, digest: str) -> dict[int, list[Metrics]]:
        numbers = self._table.metrics[_row(self._table, digest)].tolist()
        found: dict[int, list[Metrics]] = {}
        for epochs, runs in zip(self._table.budgets, numbers, strict=True):
            measured = [run for run in map(_run_metrics, runs) if run]
            if measured:
                found[epochs] = ReadOnlyList(map(ReadOnlyMetrics, measured))
        return ReadOnlyDict(found)


def _run_metrics(run: list[list[float]]) -> Metrics:
    return Metrics(
        (f"{point}_{name}", value)
        for point, values in zip(_POINTS, run, strict=True)
        for name, value in zip(METRICS, values, strict=True)
        if value == value  # not NaN
    )


def _reading(run: Metrics, point: str) -> Metrics:
    """Return a run's numbers of one reading, without the prefix."""
    start = len(point) + 1
    return Metrics((key[start:], value) for key, value in run.items() if key.startswith(point))


def _row(table: Table, digest: str) -> int:
    if digest not in table:
        raise NotMeasuredError(f"cell {digest} is not among the table's {len(table)} cells")
    return table.index_of(digest)


def _open(path: Path) -> Table:
    """Load a table, or convert a TFRecord file through the cache."""
    from h5py import is_hdf5

    if not path.is_file():
        raise TableError(f"{path}: no such file")
    if is_hdf5(path):
        return Table.load(path)
    if path.suffix in HDF5_SUFFIXES:
        raise TableError(f"{path}: not a readable HDF5 file")
    from pyg_nas.data.tables.official_file import read_official

    cached = cache_folder() / f"tfrecord-{_stamp(path)}.hdf5"
    try:
        return Table.load(cached)
    except (TableError, OSError):
        pass  # not cached, damaged, or the folder is not accessible: convert it again
    table = read_official(path, space=NASBENCH101)
    try:
        table.save(cached)
    except OSError as error:
        warnings.warn(
            f"{cached}: cannot be written ({error.strerror}), so {path} is converted again each "
            f"time; PYG_NAS_CACHE names another folder",
            stacklevel=3,
        )
    return table


def _stamp(path: Path) -> str:
    """Return a name for a file's content without reading 2 GB: size, time, first and last bytes."""
    status = path.stat()
    stamp = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns} ".encode())
    with open_regular(path, TableError) as file:
        stamp.update(file.read(_STAMP_BYTES))
        file.seek(max(0, status.st_size - _STAMP_BYTES))
        stamp.update(file.read(_STAMP_BYTES))
    return stamp.hexdigest()[:24]
