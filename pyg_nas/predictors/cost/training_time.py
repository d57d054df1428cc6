"""Training time of cells that were never trained, predicted from a few that were."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.validation import (
    Cells,
    as_cells,
    cells_to_predict,
    checked_weights,
    finite_labels,
    numbers,
)


class TimeRegressor(CellRegressor):
    """Ridge regression of log training time on the work of each operation.

    Time is additive in the vertices, and a vertex's share follows from its operation and its
    channels, so a linear model on those sums needs few cells. The features are vertices, edges,
    longest path and, for each operation, the number of its vertices, and what the space adds: in
    NAS-Bench-101 the sums of channels and of squared channels for each operation, and those of the
    projections from the input. The ridge's strength is chosen by leave-one-out cross validation.

    Attributes:
        model_: The fitted pipeline.
        space_: Search space of the training cells.
    """

    def fit(self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None) -> TimeRegressor:
        """Fit to training times ``y`` in seconds, ``[N]``; unknown ones (NaN) are left out.

        Cells of weight 0 are left out, too.

        Raises:
            SettingsError: If the times are not numbers ``[N]``, fewer than 2 are known, or one is
                infinite or not positive.
        """
        cells = as_cells(X)
        seconds = numbers("y", y)
        finite_labels(np.where(np.isnan(seconds), 1.0, seconds), len(cells))
        weights = checked_weights(sample_weight, len(cells))
        measured = ~np.isnan(seconds)
        known = np.flatnonzero(measured if weights is None else measured & (weights > 0))
        if len(known) < 2:
            raise SettingsError(
                f"training time cannot be predicted from {len(known)} measured times, 2 are needed"
            )
        if (seconds[known] <= 0).any():
            raise SettingsError(f"training times must be positive, got {seconds[known].min():g} s")
        self.space_ = cells.space
        self.model_ = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-4, 3, 29)))
        weighted = {}
        if weights is not None:
            steps = ("standardscaler", "ridgecv")
            weighted = {f"{step}__sample_weight": weights[known] for step in steps}
        self.model_.fit(work_features(cells[known]), np.log(seconds[known]), **weighted)
        return self

    @property
    def typical_factor(self) -> float:
        """Factor by which predictions for cells that are left out of the fit are wrong, above 1."""
        check_is_fitted(self)
        return float(np.exp(np.sqrt(-self.model_[-1].best_score_)))  # minus a mean squared error

    def predict(self, X: Cells) -> NDArray[np.float64]:
        """Return the predicted training times in seconds, ``[N]``.

        Raises:
            ModelError: If the cells have other operations or features than the training cells.
        """
        cells = cells_to_predict(self, X)
        if not len(cells):  # which scikit-learn's regressors refuse
            return np.empty(0)
        return np.asarray(np.exp(self.model_.predict(work_features(cells))), dtype=np.float64)


def work_features(cells: CellArray) -> NDArray[np.float64]:
    """Return the features of :class:`TimeRegressor`, ``[N, F]``."""
    columns: list[NDArray[Any]] = [
        cells.num_vertices,
        cells.num_edges,
        cells.depths,
        *cells.operation_counts.T,
        *cells.space.support.work_features(cells),
    ]
    return np.stack(columns, axis=1).astype(np.float64)
