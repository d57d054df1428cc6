"""A table of measured cells in memory; :mod:`pyg_nas.data.tables.hdf5` defines the file layout."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables import checks as table_checks
from pyg_nas.data.tables.hdf5 import MOST_STORED, read_columns, write_columns
from pyg_nas.data.tables.targets import checked_targets
from pyg_nas.errors import (
    CellError,
    SettingsError,
    SpaceError,
    TableError,
    listed,
)
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.registry import default_space
from pyg_nas.graphs.row_index import GraphTable, row_numbers
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.text import counted
from pyg_nas.spaces.measurements import END, HALFWAY, METRICS, RUN_SHAPE, are_budgets

if TYPE_CHECKING:
    import pandas as pd


class Table(GraphTable):
    """Measured results of ``N`` different cells, or of ``N`` architectures in text form.

    In some spaces several architectures are drawings of one cell. With ``texts`` each of them has
    its own row, and rows may share a cell; without them every cell has one row.

    Args:
        cells: The cells.
        metrics: float32 ``[N, B, S, 2, 4]``: budget, run, (halfway, end), :data:`METRICS`.
            Training time in seconds, accuracies as fractions, NaN where not measured.
        budgets: The ``B`` budgets in epochs, ascending; by default those of the official table of
            the space, or of the default space if it has none.
        about: Task, provenance and other information about the numbers (JSON values).
        hashes: ``S32 [N]``, computed if None.
        trainable_parameters: int32 ``[N]`` of the networks that were trained, -1 where not known;
            computed if None. They are not known for the networks of a graph file.
        targets: Other numbers by name, ``[N]`` each, NaN where not measured, such as latencies,
            which can be the ``metric`` of a :class:`~pyg_nas.data.protocols.labels.LabelPolicy`.
        texts: Text form of the architecture of each row, ``[N]``; in spaces that have one.

    Raises:
        TableError: If shapes disagree, budgets are not ascending positive numbers, or a target has
            the name of a metric.
    """

    thing: ClassVar = "cell"
    """What a row is, in words for users."""

    def __init__(
        self,
        cells: CellArray,
        metrics: NDArray[np.float32],
        budgets: Sequence[int] | None = None,
        about: dict[str, Any] | None = None,
        hashes: NDArray[np.bytes_] | None = None,
        trainable_parameters: NDArray[np.int32] | None = None,
        targets: Mapping[str, ArrayLike] | None = None,
        texts: Sequence[str] | None = None,
    ) -> None:
        self.cells: CellArray = cells
        self.metrics = np.asarray(metrics, dtype=np.float32)
        if budgets is None:
            budgets = cells.space.support.budgets or default_space().support.budgets
        self.budgets = tuple(int(b) for b in budgets)
        self.about = dict(about or {})
        if not are_budgets(self.budgets):
            raise TableError(f"budgets must be ascending positive epochs, got {self.budgets}")
        shape = self.metrics.shape
        fits = len(shape) == 5 and shape[2] >= 1 and shape[3:] == RUN_SHAPE
        if not fits or shape[:2] != (len(cells), len(self.budgets)):
            raise TableError(
                f"metrics must be [{len(cells)} cells, {len(self.budgets)} budgets, runs, 2, "
                f"{len(METRICS)}], got {list(shape)}"
            )
        if hashes is not None:
            self.hashes = hashes
        self.texts = None if texts is None else tuple(texts)
        if self.texts is not None and len(self.texts) != len(cells):
            raise TableError(f"texts must be [{len(cells)}], got [{len(self.texts)}]")
        if trainable_parameters is None or "networks" in self.about:
            trainable_parameters = self._counted_parameters()
        self.trainable_parameters = trainable_parameters
        for name, column in (("hash", hashes), ("trainable_parameters", trainable_parameters)):
            if column is not None and column.shape != (len(cells),):
                raise TableError(f"{name} must be [{len(cells)}], got {list(column.shape)}")
        self.targets = checked_targets(targets, len(cells), METRICS)

    @cached_property
    def hashes(self) -> NDArray[np.bytes_]:
        """Module hashes of the cells, ``S32 [N]``."""
        return self.cells.hashes()

    @property
    def space(self) -> SearchSpace:
        """The search space of the cells."""
        return self.cells.space

    @property
    def network_size(self) -> NetworkSize | None:
        """Size of the networks that were trained; None if it is not known.

        A table that was measured on a task has the size in :attr:`about`, under ``network``. A
        table without it, such as all tables of versions before 0.2, has the official size of its
        space. A graph file may have labels of any networks, and is marked under ``networks``.
        """
        if "networks" in self.about:
            return None
        support, described = self.space.support, self.about.get("network")
        network = support.official_network if described is None else support.network
        if network is None:
            return None
        if described is None:
            return network.size
        return NetworkSize.from_dict(described)  # None of a text: networks of another project

    def _counted_parameters(self) -> NDArray[np.int32]:
        """Parameters by the formula of the space ``[N]``, of the drawing if there is one, or -1."""
        support, size = self.space.support, self.network_size
        if support.official_network is None or size is None:
            return np.full(len(self.cells), -1, dtype=np.int32)
        return support.parameters(self.cells, size, self.texts or ()).astype(np.int32)

    def architecture_texts(self) -> tuple[str, ...]:
        """Return the text form of every row, ``N`` of them.

        Raises:
            SpaceError: If the space has no text form.
        """
        return self.texts or tuple(cell.to_text() for cell in self.cells)

    @property
    def num_runs(self) -> int:
        """Largest number of runs (seeds) of a cell at each budget."""
        return int(self.metrics.shape[2])

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which numbers are measured: False where ``metrics`` is NaN, same shape."""
        return ~np.isnan(self.metrics)

    @property
    def coverage(self) -> NDArray[np.float64]:
        """Fraction of cells and runs that are measured, ``[B, (halfway, end), METRICS]``."""
        means = self.measured.sum(axis=(0, 2)) / max(1, len(self) * self.num_runs)
        return np.asarray(means, dtype=np.float64)

    def _repr_html_(self) -> str:
        from pyg_nas.visualization.notebook import MOST_ROWS, rows_html

        label = self.default_label
        first = self.subset(slice(MOST_ROWS))
        values = (f"{value:.4g}" for value in first.label(label))
        rows = ((cell, (cell.hash, value)) for cell, value in zip(first.cells, values, strict=True))
        return rows_html(repr(self), ("hash", str(label)), rows, len(self))

    def to_pandas(self) -> pd.DataFrame:
        """Return the table as a data frame (:mod:`pyg_nas.data.tables.frames`).

        Raises:
            SettingsError: If pandas is not installed.
        """
        from pyg_nas.data.tables.frames import table_frame

        return table_frame(self)

    @classmethod
    def from_pandas(
        cls,
        frame: pd.DataFrame,
        space: SearchSpace | str | None = None,
        about: dict[str, Any] | None = None,
    ) -> Table:
        """Return the table of a data frame, see :func:`pyg_nas.data.tables.frames.read_frame`.

        Raises:
            TableError: If a column is missing, or a row is not a cell of the space.
            SpaceError: If no space has the name.
        """
        from pyg_nas.data.tables.frames import read_frame

        return read_frame(frame, space, about)

    def __repr__(self) -> str:
        budgets = ", ".join(map(str, self.budgets))
        return (
            f"Table({counted(len(self), 'cell')} of {self.space.name}, budgets {budgets}, "
            f"{counted(self.num_runs, 'run')})"
        )

    @property
    def seeds(self) -> list[int]:
        """The seed of each run: as :attr:`about` has them, else the number of the run."""
        named = self.about.get("seeds")
        if not isinstance(named, list) or not all(type(seed) is int for seed in named):
            return list(range(self.num_runs))
        is_one_each = len(named) == len(set(named)) == self.num_runs
        return named if is_one_each else list(range(self.num_runs))

    @property
    def default_label(self) -> LabelPolicy:
        """The label policy that is used if none is named.

        For the official table of a space, whose :attr:`about` has no task: the space's official
        label. For all others: the final validation accuracy of run 0 at the largest budget, without
        replacement, because the accuracy of a failed run depends on the task.
        """
        official = self.space.support.official_label
        if official is not None and self.about.keys() <= {"source", "seeds"}:
            label = LabelPolicy(**official)
            if label.budget in self.budgets:
                return label
        return LabelPolicy(resample_below=None)

    def label(self, policy: LabelPolicy | None = None) -> NDArray[np.float64]:
        """Return one label per cell, ``[N]``, NaN where the policy's run is not measured.

        Args:
            policy: :attr:`default_label` if None.

        Warns:
            UserWarning: If more than 5 % of the cells, and more than 10, have only failed runs.

        Raises:
            TableError: If the table lacks the budget or run.
            SettingsError: If the table lacks the metric or target.
        """
        policy = policy or self.default_label
        if policy.metric in self.targets:
            return np.array(self.targets[policy.metric])
        return policy.apply(self._runs(policy, policy.metric))

    def raw_accuracy(self, policy: LabelPolicy | None = None) -> NDArray[np.float64]:
        """Return the accuracy that thresholds of splits refer to, ``[N]``, NaN where not measured.

        It is the measured accuracy of the policy's run, failed or not, while :meth:`label` may be
        that of another run or the fallback. It is the validation accuracy if the label is not an
        accuracy.

        Args:
            policy: :attr:`default_label` if None.

        Raises:
            TableError: If the table lacks the budget or run.
        """
        policy = policy or self.default_label
        metric = policy.metric if policy.is_accuracy else "validation_accuracy"
        return policy.raw(self._runs(policy, metric))

    def training_seconds(self, policy: LabelPolicy | None = None) -> NDArray[np.float64]:
        """Return the seconds of training for each cell's label, ``[N]``, NaN where not measured.

        This is the time of the policy's run up to its reading, or of all measured runs together if
        the label is their mean.

        Args:
            policy: :attr:`default_label` if None.

        Raises:
            TableError: If the table lacks the budget or run.
        """
        policy = policy or self.default_label
        if policy.run != "mean":
            return self.label(replace(policy, metric="training_time"))
        runs = self._runs(policy, "training_time")
        return np.where(np.isnan(runs).all(axis=1), np.nan, np.nansum(runs, axis=1))

    def rows_of_cells(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return one of ``rows`` ``[n]`` for each of their cells, ascending.

        Of several drawings it is the one of the cell's own text form
        (:meth:`~pyg_nas.graphs.cell.Cell.to_text`), and without that the first row.
        """
        if self.texts is not None:
            own = self.space.support.to_texts(self.cells[rows])
            others = own != np.char.encode(np.asarray(self.texts)[rows], "utf-8")
            rows = rows[np.argsort(others, kind="stable")]
        return np.sort(rows[np.unique(self.hashes[rows], return_index=True)[1]])

    def index_of(self, cell: Cell | str) -> int:
        """Return the row of a cell or module hash; of several, that of :meth:`rows_of_cells`.

        Raises:
            TableError: If the table does not have the cell.
        """
        digest = cell.hash if isinstance(cell, Cell) else cell
        try:
            return self._rows[digest.encode()]
        except KeyError:
            raise TableError(f"cell {digest} is not among the table's {len(self)} cells") from None

    def __contains__(self, cell: object) -> bool:
        digest = cell.hash if isinstance(cell, Cell) else cell
        return isinstance(digest, str) and digest.encode() in self._rows

    def subset(self, rows: NDArray[Any] | slice | Sequence[int]) -> Table:
        """Return the table of some rows (indices, a slice or a mask), in the order given."""
        index = rows if isinstance(rows, slice) else row_numbers(rows, len(self))
        return Table(
            self.cells[index],
            self.metrics[index],
            self.budgets,
            self.about,
            self.hashes[index],
            self.trainable_parameters[index],
            {name: values[index] for name, values in self.targets.items()},
            None if self.texts is None else list(np.array(self.texts, dtype=object)[index]),
        )

    @classmethod
    def concatenate(cls, tables: Sequence[Table]) -> Table:
        """Join tables of different cells: equal space, task, budgets, number of runs and targets.

        Entries of :attr:`about` that are equal in all tables are kept.

        Raises:
            TableError: If the tables differ in one of these or share a cell.
        """
        if not tables:
            raise TableError("nothing to concatenate")
        first = tables[0]
        for table in tables[1:]:
            for what in ("space", "budgets", "num_runs"):
                if getattr(table, what) != getattr(first, what):
                    raise TableError(
                        f"cannot join tables with {what} {getattr(first, what)} "
                        f"and {getattr(table, what)}"
                    )
            if (table.texts is None) != (first.texts is None):
                raise TableError(
                    "cannot join a table of architectures in text form and one without"
                )
            if table.targets.keys() != first.targets.keys():
                raise TableError(
                    f"cannot join tables with the targets {listed(first.targets)} and "
                    f"{listed(table.targets)}"
                )
            tasks = [first.about.get("task"), table.about.get("task")]
            if tasks[0] != tasks[1]:
                raise TableError(f"cannot join tables of task {tasks[0]!r} and {tasks[1]!r}")
        about = {
            name: value
            for name, value in first.about.items()
            if all(name in t.about and t.about[name] == value for t in tables)
        }
        joined = cls(
            CellArray.concatenate([t.cells for t in tables]),
            np.concatenate([t.metrics for t in tables]),
            first.budgets,
            about,
            np.concatenate([t.hashes for t in tables]),
            np.concatenate([t.trainable_parameters for t in tables]),
            {name: np.concatenate([t.targets[name] for t in tables]) for name in first.targets},
            [text for t in tables for text in t.texts or ()] if first.texts is not None else None,
        )
        table_checks.check_distinct(joined, "the joined table")
        return joined

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table to HDF5, completely or not at all.

        Raises:
            TableError: If :meth:`load` would refuse it: a cell appears twice, is not a cell of the
                space or has another hash, or a number is infinite. Also if the space is too large
                for the layout.
        """
        largest = max(self.space.max_vertices, len(self.space.vocabulary))
        if largest > MOST_STORED:
            raise TableError(
                f"{path}: HDF5 tables have at most {MOST_STORED} vertices a graph and operations, "
                f"the space {self.space.name!r} has {largest}; keep such graphs as .jsonl"
            )
        table_checks.check_loadable(self, str(path))
        columns = {
            "hash": self.hashes.astype("S32"),
            "num_vertices": self.cells.num_vertices,
            "trainable_parameters": self.trainable_parameters.astype(np.int32),
            "adjacency": self.cells.adjacency,
            "operations": self.cells.operations,
            "metrics": self.metrics,
        }
        settings = {"space": self.space.to_dict(), "budgets": self.budgets, "about": self.about}
        if self.texts is not None:
            columns["text"] = np.array([text.encode() for text in self.texts], dtype=np.bytes_)
        write_columns(path, columns, self.targets, settings)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Table:
        """Read a table, with or without the attribute of this package.

        Shapes, padding and graphs of all cells are checked, and the module hash of all cells of
        a small table and of 2,000 cells of a larger one; :meth:`check` verifies the rest.

        Raises:
            TableError: If the file is missing, truncated, foreign or inconsistent.
        """
        path = Path(path)
        columns, targets, settings = read_columns(path)
        texts = None
        if "text" in columns:
            texts = [text.decode("utf-8", "replace") for text in columns["text"].tolist()]
        try:
            space = SearchSpace.from_dict(settings["space"])
            cells = CellArray(
                columns["adjacency"], columns["operations"], columns["num_vertices"], space
            )
            table = cls(
                cells,
                columns["metrics"],
                settings["budgets"],
                settings["about"],
                columns["hash"],
                columns["trainable_parameters"],
                targets,
                texts,
            )
        except (SpaceError, CellError, TableError) as error:
            raise TableError(f"{path}: {error}") from None
        table_checks.check_loadable(table, str(path))
        return table

    def check(self, name: str = "table") -> None:
        """Verify every hash, parameter count and range of values.

        Raises:
            TableError: At the first invalid cell, which the message names.
        """
        table_checks.check_loadable(self, name)
        table_checks.check_values(self, name, self._counted_parameters())

    @cached_property
    def _rows(self) -> dict[bytes, int]:
        rows = self.rows_of_cells(np.arange(len(self)))
        return dict(zip(self.hashes[rows].tolist(), rows.tolist(), strict=True))

    def _runs(self, policy: LabelPolicy, metric: str) -> NDArray[np.float64]:
        """Return a metric of all runs ``[N, S]`` at the budget and reading of ``policy``."""
        if metric not in METRICS:
            raise SettingsError(
                f"label metric {metric!r} must be one of {listed([*METRICS, *self.targets])}"
            )
        point = HALFWAY if policy.halfway else END
        budget = self.budgets[-1] if policy.budget is None else policy.budget
        if budget not in self.budgets:
            raise TableError(
                f"the table has the budgets {listed(self.budgets)} epochs, {budget} was requested"
            )
        runs = self.metrics[:, self.budgets.index(budget), :, point, METRICS.index(metric)]
        return runs.astype(np.float64)
