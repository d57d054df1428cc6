"""A predictor of positive labels that span orders of magnitude, such as latencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.storage.state import FittedState
from pyg_nas.predictors.validation import positive_labels


@dataclass(eq=False, repr=False)
class LogRegressor(CellRegressor):
    """A regressor that is fitted to the logarithms of the labels.

    Args:
        regressor: An estimator of architectures or networks.

    Attributes:
        regressor_: The fitted estimator.
    """

    fitted_state: ClassVar = FittedState(parts={"regressor": True})

    regressor: Any

    @property
    def provides_std(self) -> bool:
        """Whether those of the regressor have standard deviations."""
        return bool(getattr(self.regressor, "provides_std", False))

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> LogRegressor:
        """Fit to labels ``[N]``.

        Raises:
            SettingsError: If labels are not finite numbers ``[N]`` above 0, or as the
                regressor's ``fit``.
        """
        labels = positive_labels(y, np.size(y))
        weighted = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.regressor_ = clone(self.regressor).fit(X, np.log(labels), **weighted)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return predictions ``[N]``, the medians of the labels, in their unit.

        With ``return_std`` also the standard deviation: the prediction times that of the logarithm.
        """
        check_is_fitted(self)
        if not return_std:
            return np.exp(self.regressor_.predict(X))
        mean, std = self.regressor_.predict(X, return_std=True)
        return np.exp(mean), np.exp(mean) * std
