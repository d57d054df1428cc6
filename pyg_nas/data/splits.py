"""Which cells train and which evaluate: named splits, protocols and folds.

The named splits are those of the reproduction: ``172``, ``334`` and ``860`` are the first n of
successive permutations of one ``RandomState`` over the table, ``91-n`` the cells of split ``n``
above 91 % validation accuracy, ``denoise-91`` and ``denoise-80`` all cells above that, and
``all`` every cell. Any other whole number n takes the first n of the first permutation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.labels import LabelPolicy
from pyg_nas.data.table import Table
from pyg_nas.errors import SettingsError

NAMED_SIZES = (172, 334, 860)
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

Rows = NDArray[np.int64]


def split_rows(table: Table, split: str | int, labels: NDArray[np.float64], seed: int = 0) -> Rows:
    """Return the rows of a table that belong to a split, in the split's order.

    Rows whose label is NaN (not measured) are passed over, so a split of a partial table is
    drawn from what is measured; on a full table the rows are those of the reproduction.

    Args:
        table: The table.
        split: A name of :data:`NAMED_SPLITS`, ``91-n``, or a whole number.
        labels: ``[N]``, also decide what lies above 91 and 80 %.
        seed: Of the permutations.

    Raises:
        SettingsError: If the name is unknown or the split is larger than the measured table.
    """
    name = str(split)
    known = ~np.isnan(labels)
    if name == "all":
        return np.flatnonzero(known)
    if name.startswith("denoise-"):
        return np.flatnonzero(known & (labels > _threshold(name, name[8:])))
    threshold, dash, size = name.rpartition("-")
    if not size.isdecimal() or (dash and not threshold.isdecimal()):
        raise SettingsError(
            f"split {name!r} must be one of {', '.join(NAMED_SPLITS)} or a whole number"
        )
    rows = _first_of_permutation(len(table), int(size), seed, known)
    if threshold:
        rows = rows[labels[rows] > _threshold(name, threshold)]
    return rows


def _threshold(name: str, percent: str) -> float:
    if not percent.isdecimal() or not 0 < int(percent) < 100:
        raise SettingsError(f"split {name!r}: the threshold must be a percentage from 1 to 99")
    return int(percent) / 100


def _first_of_permutation(total: int, n: int, seed: int, known: NDArray[np.bool_]) -> Rows:
    if not 1 <= n <= known.sum():
        raise SettingsError(
            f"a split must have 1 to {int(known.sum())} cells, the table's measured ones, got {n}"
        )
    state = np.random.RandomState(seed)
    earlier = NAMED_SIZES.index(n) if n in NAMED_SIZES else 0
    for _ in range(earlier + 1):
        order = state.permutation(total)
    return order[known[order]][:n]


@dataclass(frozen=True)
class Protocol:
    """What a reported figure means: labels, training cells and evaluated cells.

    Args:
        train: Split of the training cells.
        evaluate: Split of the evaluated cells; training cells are always left out of it.
        split_seed: Of the permutations.
        label: Policy of the training label; None for the table's default.
        evaluation_label: Policy of the label compared with; the training label's if None.

    Raises:
        SettingsError: If a split is no text, or the seed is not a whole number from 0 on.
    """

    train: str
    evaluate: str = "all"
    split_seed: int = 0
    label: LabelPolicy | None = None
    evaluation_label: LabelPolicy | None = None

    def __post_init__(self) -> None:
        for what in ("train", "evaluate"):
            if not isinstance(getattr(self, what), str):
                raise SettingsError(f"{what} must name a split, got {getattr(self, what)!r}")
        if type(self.split_seed) is not int or self.split_seed < 0:
            raise SettingsError(f"split_seed must be a whole number >= 0, got {self.split_seed!r}")

    @property
    def name(self) -> str:
        """Short name: training cells, evaluated cells and the permutation's seed."""
        return (
            f"{self.train} -> {self.evaluate} without training cells (split seed {self.split_seed})"
        )

    def __str__(self) -> str:
        evaluation = (
            "" if self.evaluation_label is None else f"; compared with {self.evaluation_label}"
        )
        return f"{self.name}; label: {self.label or 'the default of the table'}{evaluation}"

    def on(self, table: Table) -> Protocol:
        """Return this protocol with ``table``'s default label where it names none."""
        return self if self.label is not None else replace(self, label=table.default_label)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        evaluation = self.evaluation_label
        return {
            "name": self.name,
            "train": self.train,
            "evaluate": self.evaluate,
            "split_seed": self.split_seed,
            "label": None if self.label is None else self.label.to_dict(),
            "evaluation_label": None if evaluation is None else evaluation.to_dict(),
        }

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> Protocol:
        """Rebuild a protocol from :meth:`to_dict`'s result."""
        label, evaluation = description["label"], description["evaluation_label"]
        return cls(
            train=description["train"],
            evaluate=description["evaluate"],
            split_seed=description["split_seed"],
            label=None if label is None else LabelPolicy.from_dict(label),
            evaluation_label=None if evaluation is None else LabelPolicy.from_dict(evaluation),
        )

    def apply(self, table: Table) -> Split:
        """Return the rows and labels of this protocol on a table.

        Raises:
            SettingsError: If no cell has the label, or a split is unknown or too large or has no
                training cell.
        """
        labels = table.label(self.label)
        if np.isnan(labels).all():
            raise SettingsError(f"no cell of the table has a {self.label or table.default_label}")
        train = split_rows(table, self.train, labels, self.split_seed)
        compared = labels if self.evaluation_label is None else table.label(self.evaluation_label)
        evaluate = split_rows(table, self.evaluate, compared, self.split_seed)
        evaluate = evaluate[~np.isin(evaluate, train)]
        if len(train) == 0:
            raise SettingsError(f"split {self.train!r} has no cell in this table")
        return Split(train, evaluate, labels[train], compared[evaluate])


@dataclass(frozen=True)
class Split:
    """Rows of the training and the evaluated cells, which are disjoint, and their labels."""

    train: Rows
    evaluate: Rows
    train_labels: NDArray[np.float64]
    evaluate_labels: NDArray[np.float64]


def stratified_folds(
    labels: NDArray[np.float64], folds: int = 5, repeats: int = 1, seed: int = 0
) -> Iterator[tuple[Rows, Rows]]:
    """Yield (training, held-out) positions of repeated K-fold, stratified by label quintile.

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
    yield from splitter.split(np.zeros(len(labels)), groups)
