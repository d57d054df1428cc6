"""Baselines for predictors: parameter count, forests and boosted trees on cell features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.utils.validation import check_is_fitted

from pyg_nas.features.graph_features import cell_features
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.scale import offset_and_range
from pyg_nas.predictors.validation import Cells, as_cells, cells_to_predict, weighted_cells

Labels = NDArray[np.float64]


class ParameterCountRegressor(CellRegressor):
    """A straight line in the logarithm of the trainable parameters."""

    def fit(
        self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> ParameterCountRegressor:
        """Fit to ``N`` cells, their labels ``[N]`` and weights ``[N]``.

        Raises:
            CellError: If the cells of this space have no network.
        """
        cells, labels, weights = weighted_cells(X, y, sample_weight)
        self.line_ = LinearRegression().fit(self._sizes(cells), labels, weights)
        return self

    def predict(self, X: Cells) -> Labels:
        """Return predictions ``[N]`` in the unit of the labels."""
        check_is_fitted(self)
        sizes = self._sizes(as_cells(X))
        return np.asarray(self.line_.coef_[0] * sizes[:, 0] + self.line_.intercept_)

    def _sizes(self, cells: CellArray) -> Labels:
        return np.log(cells.trainable_parameters())[:, None]


@dataclass(eq=False, repr=False)
class FeatureRegressor(CellRegressor):
    """Any scikit-learn regressor on the features of :mod:`pyg_nas.features.graph_features`.

    Args:
        regressor: A regressor of rows of numbers; it is cloned.

    Attributes:
        regressor_: The fitted regressor, of labels without ``offset_`` and divided by ``range_``.
        offset_: 0, except for labels that are nearly equal.
        range_: 1, except for labels that are nearly equal.
        space_: Search space of the training cells.
    """

    regressor: Any

    def fit(
        self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> FeatureRegressor:
        """Fit to ``N`` cells, their labels ``[N]`` and weights ``[N]``."""
        cells, labels, weights = weighted_cells(X, y, sample_weight)
        self.space_ = cells.space
        return self.fit_inputs(cell_features(cells).joined(), labels, weights)

    def fit_inputs(
        self, inputs: NDArray[np.float32], labels: Labels, weights: Labels | None
    ) -> FeatureRegressor:
        """Fit to rows of numbers ``[N, d]``, their labels ``[N]`` and weights ``[N]``."""
        weighted = {} if weights is None else {"sample_weight": weights}
        self.offset_, self.range_ = offset_and_range(labels)
        scaled = (labels - self.offset_) / self.range_
        self.regressor_ = clone(self.regressor).fit(inputs, scaled, **weighted)
        return self

    def predict(self, X: Cells) -> Labels:
        """Return predictions ``[N]`` in the unit of the labels.

        Raises:
            ModelError: If the cells have other operations or features than the training cells.
        """
        return self.predict_inputs(cell_features(cells_to_predict(self, X)).joined())

    def predict_inputs(self, inputs: NDArray[np.float32]) -> Labels:
        """Return predictions ``[N]`` from rows of numbers ``[N, d]``."""
        if not len(inputs):  # which scikit-learn's regressors refuse
            return np.empty(0)
        scaled = np.asarray(self.regressor_.predict(inputs), dtype=np.float64)
        return scaled * self.range_ + self.offset_


def random_forest(seed: int = 0) -> FeatureRegressor:
    """Return a random forest of 300 trees, a third of the features tried at each split."""
    return FeatureRegressor(
        RandomForestRegressor(300, max_features=1 / 3, random_state=seed, n_jobs=1)
    )


def boosted_trees(seed: int = 0) -> FeatureRegressor:
    """Return 300 gradient-boosted trees of at most 8 leaves."""
    return FeatureRegressor(
        HistGradientBoostingRegressor(
            max_iter=300,
            learning_rate=0.05,
            max_leaf_nodes=8,
            min_samples_leaf=5,
            max_features=0.3,
            random_state=seed,
        )
    )


StatisticsRegressor = FeatureRegressor  # the name of version 0.1
