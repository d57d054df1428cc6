"""Predictions beside measured values: the figures of a trained predictor or of a file of scores."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.protocol import UNTRAINED, Protocol
from pyg_nas.data.tables.frames import pandas_module
from pyg_nas.data.tables.sources import AnyTable
from pyg_nas.errors import SettingsError
from pyg_nas.metrics.regression import are_fractions, regression_metrics
from pyg_nas.predictors.validation import numbers

if TYPE_CHECKING:
    import pandas as pd


class ComparedRows(NamedTuple):
    """Rows of a table that a model is compared with.

    Args:
        protocol: Protocol of the comparison.
        rows: The evaluated rows, ``[N]``.
        labels: Their labels, ``[N]``.
        left_out: Number of training cells in the split.
    """

    protocol: Protocol
    rows: NDArray[np.int64]
    labels: NDArray[np.float64]
    left_out: int


@dataclass(frozen=True)
class Evaluation:
    """Measured and predicted values of evaluated cells.

    Args:
        protocol: Training cells, evaluated cells and their labels.
        rows: Rows of the table, ``[N]``.
        measured: Labels, ``[N]``.
        predicted: Predictions, ``[N]``.
        left_out: Number of training cells in the split, which are not evaluated.
        fractions: Whether the labels of the whole table are fractions, so that errors are in
            points.
        without_score: Number of cells in the split for which a file of scores has no score.
    """

    protocol: Protocol
    rows: NDArray[np.int64] = field(repr=False)
    measured: NDArray[np.float64] = field(repr=False)
    predicted: NDArray[np.float64] = field(repr=False)
    left_out: int = 0
    fractions: bool = True
    without_score: int = 0

    @property
    def larger_is_better(self) -> bool:
        """Whether larger values of the label compared with are better; by default they are."""
        label = self.protocol.evaluation_label or self.protocol.label
        return label is None or label.larger_is_better

    def figures(self) -> dict[str, float]:
        """Return the figures of :func:`~pyg_nas.metrics.regression.regression_metrics` by name."""
        return regression_metrics(
            self.measured,
            self.predicted,
            larger_is_better=self.larger_is_better,
            fractions=self.fractions,
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame of the evaluated cells: row of the table, measured, predicted.

        Raises:
            SettingsError: If pandas is not installed.
        """
        columns = {"row": self.rows, "measured": self.measured, "predicted": self.predicted}
        return pandas_module().DataFrame(columns)

    def _repr_html_(self) -> str:
        from pyg_nas.visualization.notebook import figures_html

        return figures_html(str(self.protocol), self.figures())


def compared_rows(
    own: Protocol,
    training_hashes: NDArray[np.bytes_],
    table: AnyTable,
    split: str | None = None,
    label: LabelPolicy | None = None,
) -> ComparedRows:
    """Return the rows of a table that a model is compared with.

    Args:
        own: The protocol by which it was trained.
        training_hashes: Hashes of its training cells ``[n]``, which are left out.
        table: Measured cells.
        split: A named split or a number, drawn with the protocol's split seed; the protocol's
            evaluated cells by default.
        label: The label compared with; the protocol's by default.

    Raises:
        SettingsError: If no measured cell is left to evaluate on, or larger values are better of
            one of the two labels alone.
    """
    compared = label or own.evaluation_label
    protocol = replace(
        own,
        evaluate=split or own.evaluate,
        evaluation_label=None if compared == own.label else compared,
        evaluate_digest=None if split else own.evaluate_digest,
    ).on(table)
    protocol.check_directions(table)
    rows, labels, left_out = protocol.evaluated(table, training_hashes)
    if len(rows) == 0:
        raise SettingsError(
            f"split {protocol.evaluate!r} has no measured {table.thing} that the model was not "
            f"trained on; train on a part of the table"
        )
    return ComparedRows(protocol, rows, labels, left_out)


def evaluate_scores(table: AnyTable, scores: ArrayLike, protocol: Protocol) -> Evaluation:
    """Compare predictions that were made elsewhere with a table.

    Args:
        table: Measured cells.
        scores: Predictions of its rows ``[N]``, NaN where there is none.
        protocol: Training cells of the predictions, which are left out, evaluated cells and labels.

    Raises:
        SettingsError: If the protocol does not fit the table, the scores are not ``N`` numbers, or
            no evaluated cell has a score.
    """
    scores = numbers("scores", scores)
    if scores.shape != (len(table),):
        raise SettingsError(f"scores must be [{len(table)}], got {list(scores.shape)}")
    protocol = protocol.on(table)
    training = table.hashes[:0]
    if protocol.train != UNTRAINED:
        training = table.hashes[protocol.apply(table).train]
    rows, labels, left_out = protocol.evaluated(table, training)
    scored = ~np.isnan(scores[rows])
    if not scored.any():
        raise SettingsError(f"no measured cell of split {protocol.evaluate!r} has a score")
    return Evaluation(
        protocol,
        rows[scored],
        labels[scored],
        scores[rows[scored]],
        left_out,
        has_fractions(table, protocol),
        int((~scored).sum()),
    )


def has_fractions(table: AnyTable, protocol: Protocol) -> bool:
    """Return whether the labels that predictions are compared with are fractions, in the table."""
    policy = protocol.compared_label(table)
    # Seconds below one are no fractions.
    return policy.is_accuracy and are_fractions(table.label(policy))
