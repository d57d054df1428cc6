"""Inputs of a Gaussian process: columns of features, standardised by the training cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.compute.jit import compiled_enabled
from pyg_nas.features.graph_features import CellFeatures, check_columns, select_columns
from pyg_nas.predictors.gaussian_process.kernels import FEWEST_INPUTS
from pyg_nas.predictors.scale import mean_and_std

_MOST_SPREAD = 5.0


@dataclass(frozen=True)
class InputScale:
    """Which ``d`` columns of joined groups of features are inputs, and how they are standardised.

    Args:
        groups: Names of the groups of features, in the order in which they are joined.
        columns: Columns of the joined groups, int64 ``[d]``.
        centre: What is subtracted from each of them, float64 ``[d]``.
        scale: What each is then divided by, float64 ``[d]``.
    """

    groups: tuple[str, ...]
    columns: NDArray[np.int64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fitted(
        cls,
        groups: tuple[str, ...],
        features: CellFeatures,
        weights: NDArray[np.float64] | None,
    ) -> InputScale:
        """Return the scale of the columns that are not constant among ``N`` training cells.

        Mean and standard deviation have the weights ``[N]``, None for 1.
        """
        centre, scale = mean_and_std(features.joined(groups).astype(np.float64), weights)
        kept = np.flatnonzero(scale > 1e-6)
        return cls(groups, kept, centre[kept], scale[kept])

    def group_of_each(self, features: CellFeatures) -> NDArray[np.int64]:
        """Return the position of each input's group, ``[d]``."""
        widths = [features.groups[name].shape[1] for name in self.groups]
        return np.repeat(np.arange(len(widths)), widths)[self.columns]

    def standardised(self, features: CellFeatures) -> Tensor:
        """Return standardised inputs of cells, float64 ``[N, d]``.

        Raises:
            ModelError: If the features do not have one of the columns.
        """
        # In double precision, as the centre is.
        standard = select_columns(features.joined(self.groups), self.columns) - self.centre
        standard /= self.scale
        # A feature far outside the range of the training cells has no further information.
        return torch.from_numpy(np.clip(standard, -_MOST_SPREAD, _MOST_SPREAD, out=standard))

    def weighted(self, features: CellFeatures, weights: Tensor) -> Tensor:
        """Return standardised inputs times weights ``[d]``, float64 ``[N, d]``.

        They are the same to the last bit in compiled code.

        Raises:
            ModelError: If the features do not have one of the columns.
        """
        if len(features.vertex) < FEWEST_INPUTS or not compiled_enabled():
            return self.standardised(features) * weights
        from pyg_nas.engine.compiled import weighted_inputs

        joined = features.joined(self.groups)
        check_columns(self.columns, joined.shape[1])
        scales = self.centre, self.scale, weights.numpy()
        return torch.from_numpy(weighted_inputs(joined, self.columns, *scales, _MOST_SPREAD))
