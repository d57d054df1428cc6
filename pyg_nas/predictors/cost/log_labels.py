"""A predictor of costs, which span orders of magnitude where all are positive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BeforeValidator
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.storage.state import FittedState
from pyg_nas.predictors.validation import checked_weights, finite_labels, numbers

# Models that were saved before this value was had learned logarithms.
_HasLogarithms = Annotated[bool, BeforeValidator(lambda value: value is None or value)]


@dataclass(eq=False, repr=False)
class LogRegressor(CellRegressor):
    """A regressor that is fitted to the logarithms of the labels, where all labels are positive.

    It is fitted to the labels as they are where one is not, such as a negative log likelihood.

    Args:
        regressor: An estimator of architectures or networks.

    Attributes:
        regressor_: The fitted estimator.
        has_logarithms_: Whether it was fitted to logarithms.
    """

    fitted_state: ClassVar = FittedState(
        values={"has_logarithms": _HasLogarithms}, parts={"regressor": True}
    )

    regressor: Any

    @property
    def provides_std(self) -> bool:
        """Whether those of the regressor have standard deviations."""
        return bool(getattr(self.regressor, "provides_std", False))

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> LogRegressor:
        """Fit to labels ``[N]``.

        Raises:
            SettingsError: If labels are not finite numbers ``[N]``, or as the regressor's ``fit``.
        """
        labels = finite_labels(y, np.size(numbers("y", y)))
        weights = checked_weights(sample_weight, len(labels))
        counted = labels if weights is None else labels[weights > 0]
        self.has_logarithms_ = bool((counted > 0).all())
        # Those of weight 0, which are left out, may have none.
        targets = np.log(np.where(labels > 0, labels, 1.0)) if self.has_logarithms_ else labels
        weighted = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.regressor_ = clone(self.regressor).fit(X, targets, **weighted)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return predictions ``[N]`` in the unit of the labels, of logarithms their medians.

        With ``return_std`` also the standard deviation: of logarithms the prediction times that of
        the logarithm.
        """
        check_is_fitted(self)
        predict = self.regressor_.predict
        mean, std = predict(X, return_std=True) if return_std else (predict(X), 0.0)
        if self.has_logarithms_:
            mean = np.exp(mean)
            std = mean * std
        return (mean, std) if return_std else mean
