"""The recipe small-gp: a Gaussian process that is fitted in a tenth of a second, for searches."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.cost.training_time import work_features
from pyg_nas.predictors.parameter_rules import SEED
from pyg_nas.predictors.scale import mean_and_scale, robust_std
from pyg_nas.predictors.storage.state import Array, FittedState, Space
from pyg_nas.predictors.validation import Cells, cells_to_predict, weighted_cells

# A failed run would otherwise set the length scale.
_MOST_DEVIATIONS = 3.0

_MOST_PATHS = 1e300  # sums of this number over the vertices of a large network are still finite


@dataclass(eq=False, repr=False)
class SmallGaussianProcess(CellRegressor):
    """scikit-learn's Gaussian process (Matérn 3/2) on a few features of the graph.

    Labels more than three robust standard deviations below the median are raised to that.

    Args:
        random_state: Random seed of the optimiser of the hyper-parameters.

    Attributes:
        space_: Search space of the training cells.
        model_: The fitted process.
    """

    provides_std = True
    parameter_rules: ClassVar = {"random_state": SEED}
    fitted_state: ClassVar = FittedState(
        arrays={
            "inputs": Array("float64", ("n", "d")),
            "targets": Array("float64", ("n",)),
            "noise": Array("float64", ("n",)),
            "centre": Array("float64", ("d",)),
            "scale": Array("float64", ("d",)),
            "theta": Array("float64", (3,)),
        },
        values={"space": Space},
    )

    random_state: int = 0

    def fit(
        self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> SmallGaussianProcess:
        """Fit to ``N`` cells and their labels ``[N]``.

        A weight below the largest adds noise to the label; cells of weight 0 are left out.

        Raises:
            SettingsError: If a label or weight is not finite or a setting is outside its rule.
        """
        self.check_parameters()
        cells, labels, weights = weighted_cells(X, y, sample_weight)
        self.space_ = cells.space
        median = np.median(labels)
        self.targets_ = np.maximum(labels, median - _MOST_DEVIATIONS * robust_std(labels - median))
        found = small_features(cells)
        self.centre_, self.scale_ = mean_and_scale(found)
        self.inputs_ = (found - self.centre_) / self.scale_
        self.noise_ = np.full(len(labels), 1e-10)
        if weights is not None:
            self.noise_ += weights.max() / weights - 1
        with warnings.catch_warnings():
            # With few labels an optimum at a bound is common; the bounds belong to the recipe.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model_ = self._process("fmin_l_bfgs_b").fit(self.inputs_, self.targets_)
        self.theta_ = self.model_.kernel_.theta
        return self

    def predict(self, X: Cells, return_std: bool = False) -> Any:
        """Return the mean ``[N]``, and the standard deviation of a measured label where asked for.

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        cells = cells_to_predict(self, X)
        if not len(cells):
            return (np.empty(0), np.empty(0)) if return_std else np.empty(0)
        inputs = (small_features(cells) - self.centre_) / self.scale_
        return self.model_.predict(inputs, return_std=return_std)

    def check_fitted_state(self) -> None:
        """Make the process from a state that was read."""
        model = self._process(None)
        model.kernel = model.kernel.clone_with_theta(self.theta_)
        self.model_ = model.fit(self.inputs_, self.targets_)

    def _process(self, optimizer: str | None) -> GaussianProcessRegressor:
        # Length scale and noise start where fits to NAS-Bench-101 end.
        kernel = ConstantKernel() * Matern(10.0, (1.0, 1e3), nu=1.5) + WhiteKernel(0.3, (1e-3, 10))
        return GaussianProcessRegressor(
            kernel, alpha=self.noise_, optimizer=optimizer, normalize_y=True,
            random_state=self.random_state,
        )  # fmt: skip


def small_features(cells: CellArray) -> NDArray[np.float64]:
    """Return work, depth by operation, paths, and pairs of operations ``[N, F]``.

    Pairs are counted that are connected by an edge, by two edges or by any path. Exact parameters
    are a feature where the space has them.
    """
    adjacency = cells.adjacency.astype(np.float64)
    total, size = cells.operations.shape
    rows, last = np.arange(total), cells.num_vertices.astype(np.int64) - 1
    kinds = np.eye(cells.space.num_columns)[cells.columns] * cells.mask[..., None]  # [N, V, C]
    paths = adjacency.copy()
    for v in range(1, size):
        further = (paths[:, :, :v] @ adjacency[:, :v, v, None])[..., 0]
        paths[:, :, v] = np.minimum(paths[:, :, v] + further, _MOST_PATHS)
    reach = [adjacency, np.minimum(adjacency @ adjacency, 1.0), (paths > 0).astype(np.float64)]
    pairs = [(kinds.transpose(0, 2, 1) @ r @ kinds).reshape(total, -1) for r in reach]
    depths = []
    for operation in range(len(cells.space.operations)):
        weight = ((cells.operations == operation) & cells.mask).astype(np.float64)
        depth = np.zeros((total, size))
        for v in range(1, size):
            before = (adjacency[:, :, v] * (depth + 1)).max(axis=1)
            depth[:, v] = np.where(before > 0, before - 1 + weight[:, v], 0.0)
        depths.append(depth[rows, last])
    known = []
    if cells.space.support.official_network is not None:
        known.append(np.log(cells.trainable_parameters()))
    return np.column_stack(
        [work_features(cells), *known, np.log1p(paths[rows, 0, last]), *pairs, *depths]
    )
