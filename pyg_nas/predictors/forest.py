"""A forest of extremely randomised trees on features of cells, stored as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import PositiveInt

from pyg_nas.errors import ModelError
from pyg_nas.features.graph_features import (
    FEATURE_VERSION,
    PATH_GROUP,
    CellFeatures,
    cell_features,
)
from pyg_nas.features.paths import path_features
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.parameter_rules import SEED, whole
from pyg_nas.predictors.scale import offset_and_range
from pyg_nas.predictors.storage.state import Array, FeatureVersion, FittedState, Space
from pyg_nas.predictors.validation import Cells, cells_to_predict, weighted_cells

_SHARE_TRIED = 1 / 3  # of the features, at each split
_CELLS = 1_024  # whose positions in all trees stay in the processor's cache

Labels = NDArray[np.float64]


@dataclass(eq=False, repr=False)
class FeatureForest(CellRegressor):
    """Extremely randomised trees (Geurts et al., 2006) on bootstrap samples of the cells.

    Inputs are all groups of the cells' features and their path features
    (:mod:`pyg_nas.features.paths`).

    Args:
        num_trees: Trees.
        random_state: Random seed of the samples and splits.

    Attributes:
        space_: Search space of the training cells.
        out_of_bag_: Mean of the trees that have not seen a training cell, float64 ``[n]``; its
            copies may have been seen.
        roots_: Position of each tree's root among the ``m`` nodes of all trees, int64 ``[t]``.
        split_: Feature that a node splits by, int64 ``[m]``; 0 at leaves.
        threshold_: Cells of at most this value go left, float64 ``[m]``.
        left_: Next node of those, int64 ``[m]``; the node itself at leaves.
        right_: Next node of the others, int64 ``[m]``.
        value_: Prediction of a leaf, float64 ``[m]``.
        width_: Number of features.
    """

    parameter_rules: ClassVar = {"num_trees": whole(least=1), "random_state": SEED}
    fitted_state: ClassVar = FittedState(
        arrays={
            "out_of_bag": Array("float64", ("n",)),
            "roots": Array("int64", ("t",)),
            **dict.fromkeys(("split", "left", "right"), Array("int64", ("m",))),
            **dict.fromkeys(("threshold", "value"), Array("float64", ("m",))),
        },
        values={"space": Space, "feature_version": FeatureVersion, "width": PositiveInt},
    )

    num_trees: int = 100
    random_state: int = 0

    def fit(self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None) -> FeatureForest:
        """Fit to ``N`` cells, their labels ``[N]`` and weights ``[N]``; weight 0 leaves one out.

        Raises:
            SettingsError: If a label or weight is not finite or a setting is outside its rule.
        """
        cells, labels, weights = weighted_cells(X, y, sample_weight)
        return self.fit_features(cells, LabelledFeatures(cell_features(cells), labels, weights))

    def fit_features(self, cells: CellArray, data: LabelledFeatures) -> FeatureForest:
        """Fit to ``N`` cells whose features are known already, and their labels ``[N]``."""
        self.check_parameters()
        self.space_, self.feature_version_ = cells.space, FEATURE_VERSION
        inputs = _inputs(cells, data.features)
        offset, spread = offset_and_range(data.labels)
        from sklearn.ensemble import ExtraTreesRegressor

        forest = ExtraTreesRegressor(
            self.num_trees, max_features=_SHARE_TRIED, bootstrap=True, oob_score=True,
            random_state=self.random_state, n_jobs=1,
        ).fit(inputs, (data.labels - offset) / spread, data.weights)  # fmt: skip
        trees = [tree.tree_ for tree in forest.estimators_]
        counts = [tree.node_count for tree in trees]
        self.roots_ = np.cumsum([0, *counts[:-1]])
        first = np.repeat(self.roots_, counts)
        own = np.arange(len(first))
        left = np.concatenate([tree.children_left for tree in trees])
        right = np.concatenate([tree.children_right for tree in trees])
        is_leaf = left < 0
        self.left_ = np.where(is_leaf, own, first + left)
        self.right_ = np.where(is_leaf, own, first + right)
        self.split_ = np.maximum(np.concatenate([tree.feature for tree in trees]), 0)
        self.threshold_ = np.concatenate([tree.threshold for tree in trees])
        self.value_ = np.concatenate([tree.value[:, 0, 0] for tree in trees]) * spread + offset
        self.out_of_bag_ = forest.oob_prediction_ * spread + offset
        self.width_ = inputs.shape[1]
        return self

    def predict(self, X: Cells) -> Labels:
        """Return the mean of all trees ``[N]`` in the unit of the labels.

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        cells = cells_to_predict(self, X)
        return self.predict_features(cells, cell_features(cells))

    def predict_features(self, cells: CellArray, features: CellFeatures) -> Labels:
        """Return the mean of all trees ``[N]`` from cells and their features.

        Raises:
            ModelError: If there are more or fewer features than at the fit.
        """
        inputs = _inputs(cells, features)
        if inputs.shape[1] != self.width_:
            raise ModelError(
                f"the trees were fitted to {self.width_:,} features, got {inputs.shape[1]:,}"
            )
        found = np.empty(len(inputs))
        for start in range(0, len(inputs), _CELLS):
            rows = slice(start, start + _CELLS)
            found[rows] = self._predict_block(inputs[rows])
        return found

    def _predict_block(self, inputs: NDArray[np.float32]) -> Labels:
        cell = np.arange(len(inputs))
        node = np.repeat(self.roots_[:, None], len(inputs), axis=1)  # [trees, cells]
        while True:
            goes_left = inputs[cell, self.split_[node]] <= self.threshold_[node]
            after = np.where(goes_left, self.left_[node], self.right_[node])
            if np.array_equal(after, node):
                return np.asarray(self.value_[node].mean(axis=0))
            node = after

    def check_fitted_state(self) -> None:
        """Check trees that were read: a step leads to a later node, or a leaf to itself.

        Raises:
            ModelError: If a step or a feature does not exist.
        """
        own = np.arange(len(self.value_))
        is_leaf = (self.left_ == own) & (self.right_ == own)
        steps = np.minimum(self.left_, self.right_) > own
        outside = np.maximum(self.left_, self.right_) >= len(own)
        if not len(self.roots_) or outside.any() or not (is_leaf | steps).all():
            raise ModelError("each node of a tree must be a leaf or lead to two later nodes")
        if ((self.roots_ < 0) | (self.roots_ >= len(own))).any():
            raise ModelError(f"the roots of trees must be nodes, 0 to {len(own) - 1}")
        if ((self.split_ < 0) | (self.split_ >= self.width_)).any():
            raise ModelError(f"trees must split by features 0 to {self.width_ - 1}")


def _inputs(cells: CellArray, features: CellFeatures) -> NDArray[np.float32]:
    groups = dict(features.groups)
    paths = groups.pop(PATH_GROUP) if PATH_GROUP in groups else path_features(cells)
    others = [groups[name] for name in sorted(groups)]
    return np.concatenate([*others, paths], axis=1, dtype=np.float32)
