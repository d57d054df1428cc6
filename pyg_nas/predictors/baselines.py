"""What a predictor has to beat: parameter count, forests and boosted trees on cell statistics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.utils.validation import check_is_fitted

from pyg_nas.data.table import Table
from pyg_nas.features.graph_statistics import cell_features
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.gcn import as_cells, finite_labels

Cells = CellArray | Table | Iterable[Cell]


class ParameterCountRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A straight line in the logarithm of the trainable parameters; NAS-Bench-101 only."""

    def fit(self, X: Cells, y: ArrayLike) -> ParameterCountRegressor:
        """Fit to ``N`` cells and their labels ``[N]``.

        Raises:
            CellError: If the space is not NAS-Bench-101.
        """
        cells = as_cells(X)
        self.line_ = LinearRegression().fit(self._sizes(cells), finite_labels(y, len(cells)))
        return self

    def predict(self, X: Cells) -> NDArray[np.float64]:
        """Return predictions ``[N]`` in the unit of the labels."""
        check_is_fitted(self)
        return np.asarray(self.line_.predict(self._sizes(as_cells(X))), dtype=np.float64)

    def _sizes(self, cells: CellArray) -> NDArray[np.float64]:
        return np.log(cells.trainable_parameters())[:, None]


class StatisticsRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Any scikit-learn regressor on the statistics of :mod:`pyg_nas.features.graph_statistics`.

    Args:
        regressor: Of rows of numbers; it is cloned.
    """

    def __init__(self, regressor: Any) -> None:
        self.regressor = regressor

    def fit(self, X: Cells, y: ArrayLike) -> StatisticsRegressor:
        """Fit to ``N`` cells and their labels ``[N]``."""
        cells = as_cells(X)
        self.regressor_ = clone(self.regressor)
        self.regressor_.fit(_table(cells), finite_labels(y, len(cells)))
        return self

    def predict(self, X: Cells) -> NDArray[np.float64]:
        """Return predictions ``[N]`` in the unit of the labels."""
        check_is_fitted(self)
        return np.asarray(self.regressor_.predict(_table(as_cells(X))), dtype=np.float64)


def random_forest(seed: int = 0) -> StatisticsRegressor:
    """Return a random forest of 300 trees, a third of the statistics tried at each split."""
    return StatisticsRegressor(
        RandomForestRegressor(300, max_features=1 / 3, random_state=seed, n_jobs=1)
    )


def boosted_trees(seed: int = 0) -> StatisticsRegressor:
    """Return 300 gradient-boosted trees of at most 8 leaves."""
    return StatisticsRegressor(
        HistGradientBoostingRegressor(
            max_iter=300,
            learning_rate=0.05,
            max_leaf_nodes=8,
            min_samples_leaf=5,
            max_features=0.3,
            random_state=seed,
        )
    )


def _table(cells: CellArray) -> NDArray[np.float32]:
    return np.concatenate(list(cell_features(cells).groups.values()), axis=1)
