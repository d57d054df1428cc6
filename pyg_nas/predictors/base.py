"""Base class of all estimators over cells: settings, fitted state, checks of ``X``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sklearn.base import BaseEstimator, RegressorMixin

from pyg_nas.predictors.parameter_rules import ParameterRule
from pyg_nas.predictors.storage.state import FittedState
from pyg_nas.predictors.validation import check_parameters


class CellEstimator(BaseEstimator):  # type: ignore[misc]
    """A scikit-learn estimator whose ``X`` is anything that contains cells.

    Attributes:
        parameter_rules: Rule of each constructor argument, see
            :mod:`pyg_nas.predictors.parameter_rules`.
        fitted_state: Attributes that ``fit`` sets, see :mod:`pyg_nas.predictors.storage.state`.
        least_cells: Training cells that a fit needs.
    """

    parameter_rules: ClassVar[Mapping[str, ParameterRule]] = {}
    fitted_state: ClassVar[FittedState] = FittedState()
    least_cells: ClassVar[int] = 1

    @property
    def provides_std(self) -> bool:
        """Whether ``predict(X, return_std=True)`` returns useful standard deviations."""
        return False

    def check_parameters(self) -> None:
        """Check the constructor arguments.

        Raises:
            SettingsError: If one is outside its rule.
        """
        check_parameters(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # X is a sequence of cells, not a matrix of numbers.
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.no_validation = True
        return tags


class CellRegressor(RegressorMixin, CellEstimator):  # type: ignore[misc]
    """A :class:`CellEstimator` that predicts one number per cell."""
