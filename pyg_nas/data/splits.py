"""Training cells and evaluated cells: named splits, protocols and folds.

The named splits are those of the reproduction: ``172``, ``334`` and ``860`` are the first n of
successive permutations of one ``RandomState`` over the table, ``91-n`` the cells of split ``n``
above 91 % accuracy, ``denoise-91`` and ``denoise-80`` all cells above that, and ``all`` every
cell. Any other whole number n takes the first n of the first permutation. A name that ends in
``.json``, ``.txt`` or ``.npz`` is a file of rows or hashes (:mod:`pyg_nas.data.split_file`).

91 and 80 % are compared with :meth:`~pyg_nas.data.table.Table.raw_accuracy`: the measured accuracy
of the label's run, by default the first one, and not with the label, in which a failed run is
replaced.

A graph may have several rows of a table of graphs, with different labels. All of its rows that a
training split draws are training cells, each with its label. It is evaluated once, against the mean
of all its labels, and not at all if one of its rows is a training cell. In cross validation all its
rows are in the same fold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, TypeAlias

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from pyg_nas.data.labels import LabelPolicy
from pyg_nas.data.network_table import NetworkTable
from pyg_nas.data.split_file import SUFFIXES, is_split_file, read_split, split_digest
from pyg_nas.data.table import Table
from pyg_nas.errors import SettingsError, quoted
from pyg_nas.io.limits import MOST_SEED
from pyg_nas.io.record import Rule, check_fields, record_from_dict
from pyg_nas.io.text import check_text
from pyg_nas.metrics.thresholds import above, accuracy_unit

NAMED_SPLITS = (
    "172",
    "334",
    "860",
    "91-172",
    "91-334",
    "91-860",
    "denoise-91",
    "denoise-80",
    "all",
)

UNTRAINED = "none"
"""``Protocol.train`` of predictions that no cell of the table trained."""

Rows = NDArray[np.int64]

AnyTable: TypeAlias = "Table | NetworkTable"
"""A table of cells or of whole networks."""


def split_rows(
    table: AnyTable,
    split: str | int,
    labels: NDArray[np.float64],
    seed: int = 0,
    accuracies: NDArray[np.float64] | None = None,
) -> Rows:
    """Return the rows of a table that belong to a split, in the split's order.

    Rows whose label is NaN (not measured) are skipped, so that a split of a partial table is drawn
    from its measured rows; on a full table the rows are those of the reproduction.

    Args:
        table: The table.
        split: A name of :data:`NAMED_SPLITS`, ``91-n``, a whole number, or a split file.
        labels: ``[N]``; NaN where a row has none.
        seed: Random seed of the permutations.
        accuracies: ``[N]``, compared with thresholds, fractions or percent; by default the
            table's :meth:`~pyg_nas.data.table.Table.raw_accuracy` by its default label.

    Raises:
        SettingsError: If the name is unknown, the split is larger than the measured table, a
            threshold is requested but no accuracy is measured, or a split file is invalid or
            contains a row without a label.
    """
    name = str(split)
    check_split(name)
    known = ~np.isnan(labels)
    if name == "all":
        return np.flatnonzero(known)
    if is_split_file(name):
        rows = read_split(name, table.hashes)
        missing = rows[~known[rows]]
        if len(missing):
            raise SettingsError(
                f"split {name}: row {missing[0]} has no label ({len(missing):,} of {len(rows):,} "
                f"rows have none)"
            )
        return rows
    if name.startswith("denoise-"):
        return np.flatnonzero(known & _passing(table, labels, accuracies, name, name[8:]))
    threshold, _, size = name.rpartition("-")
    rows = _first_of_permutation(known, int(size), seed, table.space.support.split_sizes)
    if threshold:
        rows = rows[_passing(table, labels, accuracies, name, threshold)[rows]]
    return rows


def _passing(
    table: AnyTable,
    labels: NDArray[np.float64],
    accuracies: NDArray[np.float64] | None,
    name: str,
    percent: str,
) -> NDArray[np.bool_]:
    threshold = _threshold(name, percent)
    if accuracies is None:
        accuracies = table.raw_accuracy() if isinstance(table, Table) else labels
    if np.isnan(accuracies).all():
        raise SettingsError(f"split {name!r} needs accuracies, none is measured in the table")
    unit = accuracy_unit(accuracies)
    if unit is None:
        raise SettingsError(
            f"split {name!r} needs accuracies in fractions (0 to 1) or percent (0 to 100), they "
            f"are {np.nanmin(accuracies):g} to {np.nanmax(accuracies):g}"
        )
    return above(accuracies, unit * threshold)


def check_split(name: str) -> None:
    """Check that a text names a split; a table may still be too small for it.

    A split file is not opened.

    Raises:
        SettingsError: If it is not the name of a split.
    """
    check_text("split", name)
    if name == "all" or is_split_file(name):
        return
    threshold, dash, size = name.rpartition("-")
    if threshold == "denoise":
        _threshold(name, size)
    elif not _is_number(size) or (dash and not _is_number(threshold)):
        raise SettingsError(
            f"split {quoted(name)} must be one of {', '.join(NAMED_SPLITS)}, a whole number, or a "
            f"file of rows or hashes ({', '.join(SUFFIXES)})"
        )
    elif dash:
        _threshold(name, threshold)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _threshold(name: str, percent: str) -> float:
    if not _is_number(percent) or not 0 < int(percent) < 100:
        raise SettingsError(
            f"split {quoted(name)}: the threshold must be a percentage from 1 to 99"
        )
    return int(percent) / 100


def _first_of_permutation(
    known: NDArray[np.bool_], n: int, seed: int, sizes: tuple[int, ...]
) -> Rows:
    if not 1 <= n <= known.sum():
        raise SettingsError(
            f"a split must have 1 to {int(known.sum())} cells, the table's measured ones, got {n}"
        )
    state = np.random.RandomState(seed)
    earlier = sizes.index(n) if n in sizes else 0
    for _ in range(earlier + 1):
        order = state.permutation(len(known))
    return order[known[order]][:n]


@dataclass(frozen=True)
class Protocol:
    """The conditions of a reported number: labels, training cells and evaluated cells.

    Args:
        train: Split of the training cells: a name, a number or a split file. ``"none"`` of
            predictions without training cells, which are evaluated and cannot be fitted.
        evaluate: Split of the evaluated cells; training cells are always left out of it.
        split_seed: Random seed of the permutations.
        label: Policy of the training label; None for the table's default.
        evaluation_label: Policy of the label compared with; None for that of the training label.
        train_digest: Digest of a split file's content (set by :meth:`on`); None for a named split.
        evaluate_digest: The same of the evaluated cells.

    Raises:
        SettingsError: If a split is not the name of one, or the seed is not a whole number from 0
            on.
    """

    train: Annotated[str, Rule("the name of a split")]
    evaluate: Annotated[str, Rule("the name of a split")] = "all"
    split_seed: Annotated[
        int, Ge(0), Le(MOST_SEED), Rule(f"a whole number >= 0 and <= {MOST_SEED}")
    ] = 0
    label: Annotated[LabelPolicy | None, Rule("a LabelPolicy or None")] = None
    evaluation_label: Annotated[LabelPolicy | None, Rule("a LabelPolicy or None")] = None
    train_digest: Annotated[str | None, Rule("text or None")] = None
    evaluate_digest: Annotated[str | None, Rule("text or None")] = None

    def __post_init__(self) -> None:
        check_fields(self, "protocol")
        if self.train != UNTRAINED:
            check_split(self.train)
        check_split(self.evaluate)

    @property
    def name(self) -> str:
        """Short name: training cells, evaluated cells and the permutation's seed."""
        return (
            f"{_shown(self.train, self.train_digest)} -> "
            f"{_shown(self.evaluate, self.evaluate_digest)} without training cells "
            f"(split seed {self.split_seed})"
        )

    def __str__(self) -> str:
        evaluation = (
            "" if self.evaluation_label is None else f"; compared with {self.evaluation_label}"
        )
        return f"{self.name}; label: {self.label or 'the default of the table'}{evaluation}"

    def training_label(self, table: AnyTable) -> LabelPolicy:
        """Return the policy of the training label, by default the table's default."""
        return self.label or table.default_label

    def compared_label(self, table: AnyTable) -> LabelPolicy:
        """Return the policy of the label that predictions are compared with."""
        return self.evaluation_label or self.training_label(table)

    def on(self, table: AnyTable) -> Protocol:
        """Return this protocol with the digests and, if it names no label, the table's default one.

        Raises:
            SettingsError: If a split file cannot be read.
        """
        return replace(
            self,
            label=self.training_label(table),
            train_digest=self.train_digest or _digest(self.train),
            evaluate_digest=self.evaluate_digest or _digest(self.evaluate),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        described = {"name": self.name, **asdict(self)}
        digests = ("train_digest", "evaluate_digest")
        return {key: v for key, v in described.items() if key not in digests or v is not None}

    @classmethod
    def from_dict(cls, description: Any) -> Protocol:
        """Rebuild a protocol from :meth:`to_dict`'s result.

        Raises:
            SettingsError: If a key is unknown or missing, or a value breaks its rule.
        """
        if not isinstance(description, dict):
            raise SettingsError(f"a protocol must be a JSON object, got {quoted(description)}")
        values = {key: value for key, value in description.items() if key != "name"}
        for key in ("label", "evaluation_label"):
            if values.get(key) is not None:
                values[key] = LabelPolicy.from_dict(values[key])
        return record_from_dict(cls, values, "a protocol")

    def apply(self, table: AnyTable) -> Split:
        """Return the rows and labels of this protocol on a table.

        Raises:
            SettingsError: If no cell has the label, or a split is unknown, too large or has no
                training cell.
        """
        label = self.training_label(table)
        labels = table.label(label)
        if np.isnan(labels).all():
            raise SettingsError(f"no cell of the table has the label {label}")
        raw = table.raw_accuracy(label) if _needs_accuracy(self.train) else None
        _check_digest(self.train, self.train_digest)
        train = split_rows(table, self.train, labels, self.split_seed, raw)
        if len(train) == 0:
            raise SettingsError(f"split {self.train!r} has no cell in this table")
        rows, compared, _ = self.evaluated(table, table.hashes[train])
        return Split(train, rows, labels[train], compared)

    def evaluated(
        self, table: AnyTable, training_hashes: NDArray[np.bytes_]
    ) -> tuple[Rows, NDArray[np.float64], int]:
        """Return the evaluated cells of a table, each graph once.

        Args:
            table: The table.
            training_hashes: Module hashes of the training cells, which are left out.

        Returns:
            The rows ``[n]``, the first of each graph; the labels ``[n]``, the mean for a graph with
            several rows; and the number of graphs of the split that were left out.

        Raises:
            SettingsError: If the split is unknown, too large, or a file that cannot be read or
                has changed.
        """
        _check_digest(self.evaluate, self.evaluate_digest)
        label = self.compared_label(table)
        labels = mean_by_graph(table.label(label), table.hashes)
        raw = None
        if _needs_accuracy(self.evaluate):
            raw = mean_by_graph(table.raw_accuracy(label), table.hashes)
        rows = split_rows(table, self.evaluate, labels, self.split_seed, raw)
        rows = rows[np.sort(np.unique(table.hashes[rows], return_index=True)[1])]
        unseen = rows[~np.isin(table.hashes[rows], training_hashes)]
        return unseen, labels[unseen], len(rows) - len(unseen)


@dataclass(frozen=True)
class Split:
    """Disjoint rows of training and evaluated cells, and their labels."""

    train: Rows
    evaluate: Rows
    train_labels: NDArray[np.float64]
    evaluate_labels: NDArray[np.float64]


def mean_by_graph(values: NDArray[np.float64], hashes: NDArray[np.bytes_]) -> NDArray[np.float64]:
    """Return for each row the mean value of its graph's rows, ``[N]``, without NaN.

    Args:
        values: ``[N]``.
        hashes: ``S32 [N]``.
    """
    graphs, graph = np.unique(hashes, return_inverse=True)
    if len(graphs) == len(hashes):
        return values
    known = ~np.isnan(values)
    counts = np.bincount(graph[known], minlength=len(graphs))
    sums = np.bincount(graph[known], values[known], minlength=len(graphs))
    means = np.full(len(graphs), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means[graph]


def grouped_folds(
    splitter: Any, hashes: NDArray[np.bytes_], classes: NDArray[Any] | None = None
) -> Iterator[tuple[Rows, Rows]]:
    """Yield a splitter's (training, held-out) rows, all rows of a graph on the same side.

    If no graph appears twice, they are the splitter's folds of the rows.

    Args:
        splitter: A scikit-learn splitter without groups.
        hashes: ``S32 [N]``.
        classes: ``[N]``, for a stratified splitter; the class of a graph is that of its first row.
    """
    _, first, graph = np.unique(hashes, return_index=True, return_inverse=True)
    # Graphs numbered by their first rows.
    rows = np.sort(first)
    graph = np.argsort(np.argsort(first))[graph]
    for train, held_out in splitter.split(rows, None if classes is None else classes[rows]):
        yield _rows_of(graph, train), _rows_of(graph, held_out)


def _rows_of(graph: NDArray[np.int64], chosen: Rows) -> Rows:
    """Return the rows of the chosen graphs, in the order of ``chosen``."""
    order = np.argsort(graph, kind="stable")
    start = np.searchsorted(graph[order], chosen, "left")
    end = np.searchsorted(graph[order], chosen, "right")
    return np.concatenate([order[a:b] for a, b in zip(start, end, strict=True)])


def stratified_folds(
    labels: NDArray[np.float64],
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    hashes: NDArray[np.bytes_] | None = None,
) -> Iterator[tuple[Rows, Rows]]:
    """Yield (training, held-out) positions of repeated K-fold, stratified by label quintile.

    Args:
        labels: ``[N]``.
        repeats: Repeats, each with its own shuffle.
        seed: Random seed of the shuffles.
        hashes: ``S32 [N]``; rows of one graph are then in one fold.

    Raises:
        SettingsError: If there are fewer labels than folds, or fewer than 2 folds.
    """
    from sklearn.model_selection import RepeatedStratifiedKFold

    if not 2 <= folds <= len(labels):
        raise SettingsError(f"{folds} folds need 2 to {len(labels)} (the number of labels)")
    # A stratum must have a member for every fold.
    strata = max(1, min(5, len(labels) // folds))
    ranks = np.argsort(np.argsort(labels, kind="stable"), kind="stable")
    groups = ranks * strata // len(labels)
    splitter = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    if hashes is None:
        yield from splitter.split(np.zeros(len(labels)), groups)
    else:
        yield from grouped_folds(splitter, hashes, groups)


def _needs_accuracy(split: str) -> bool:
    return "-" in split and not is_split_file(split)


def _digest(split: str) -> str | None:
    return split_digest(split) if is_split_file(split) else None


def _check_digest(split: str, known: str | None) -> None:
    if known is not None and known != split_digest(split):
        raise SettingsError(
            f"split {split}: the file has changed, its digest is {split_digest(split)} and the "
            f"protocol has {known}"
        )


def _shown(split: str, digest: str | None) -> str:
    return split if digest is None else f"{split} (sha256 {digest})"
