"""Regressors over cells that are quick to fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import Ridge

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess


def counts(cells: CellArray) -> np.ndarray[Any, Any]:
    """Vertices of each operation, and edges."""
    columns = [((cells.operations == i) & cells.mask).sum(axis=1) for i in range(3)]
    return np.stack([*columns, cells.num_edges], axis=1).astype(float)


class LinearPredictor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def fit(self, X: CellArray, y: np.ndarray[Any, Any]) -> LinearPredictor:
        self.n_train_ = len(X)
        self.model_ = Ridge(self.alpha).fit(counts(X), y)
        return self

    def predict(self, X: CellArray) -> np.ndarray[Any, Any]:
        return np.asarray(self.model_.predict(counts(X)))


class GaussianPredictor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    provides_std = True

    def fit(self, X: CellArray, y: np.ndarray[Any, Any]) -> GaussianPredictor:
        kernel = RBF(2.0, "fixed") + WhiteKernel(0.01, "fixed")
        self.model_ = GaussianProcessRegressor(kernel, normalize_y=True).fit(counts(X), y)
        return self

    def predict(self, X: CellArray, return_std: bool = False) -> Any:
        return self.model_.predict(counts(X), return_std=return_std)


def linear(n: int, seed: int) -> LinearPredictor:
    return LinearPredictor()


def gaussian(n: int, seed: int) -> GaussianPredictor:
    return GaussianPredictor()


def process(n: int, seed: int) -> GaussianProcess:
    """One that can be updated."""
    return GaussianProcess(steps=20, random_state=seed)
