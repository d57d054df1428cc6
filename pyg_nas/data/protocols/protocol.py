"""Protocols: the labels, training cells and evaluated cells of a reported number.

A graph may have several rows of a table of graphs, with different labels. All of its rows that a
training split draws are training cells, each with its label. It is evaluated once, against the mean
of all its labels, and not at all if one of its rows is a training cell.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from pyg_nas.data.protocols.label_texts import missing_label
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.split_file import is_split_file, split_digest
from pyg_nas.data.protocols.splits import Rows, check_split, split_rows
from pyg_nas.errors import SettingsError, quoted
from pyg_nas.io.limits import MOST_SEED
from pyg_nas.io.record import Rule, check_fields, record_from_dict

if TYPE_CHECKING:
    from pyg_nas.data.tables.sources import AnyTable

UNTRAINED = "none"
"""``Protocol.train`` of predictions that no cell of the table trained."""


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

    def check_directions(self, table: AnyTable) -> None:
        """Check that the better values of both labels are the larger ones, or the smaller ones.

        Raises:
            SettingsError: If not: the cells that are predicted best would be the worst ones.
        """
        labels = self.training_label(table), self.compared_label(table)
        if labels[0].larger_is_better is not labels[1].larger_is_better:
            better = [
                f"{label} ({'larger' if label.larger_is_better else 'smaller'} is better)"
                for label in labels
            ]
            raise SettingsError(
                f"predictions of {better[0]} cannot be compared with {better[1]}: the same "
                f"direction must be better for both labels"
            )

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
        labels = _known_labels(table, label)
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
            SettingsError: If no cell has the label, or the split is unknown, too large, or a file
                that cannot be read or has changed.
        """
        _check_digest(self.evaluate, self.evaluate_digest)
        label = self.compared_label(table)
        labels = mean_by_graph(_known_labels(table, label), table.hashes)
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


def _known_labels(table: AnyTable, label: LabelPolicy) -> NDArray[np.float64]:
    labels = table.label(label)
    if np.isnan(labels).all():
        raise SettingsError(missing_label(table, label))
    return labels


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
