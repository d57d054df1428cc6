"""What the parts of a model are fitted to: features of architectures with their labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyg_nas.features.graph_features import CellFeatures


@dataclass(frozen=True, eq=False)
class LabelledFeatures:
    """Features of ``N`` architectures, and what a fit needs to know of each of them.

    Args:
        features: The features.
        labels: float64 ``[N]``, or ``[N, K]`` for a part that learns several labels.
        weights: Weights above 0, float64 ``[N]``; None for 1.
        hashes: Hashes of the graphs, ``S32 [N]``; None if no graph appears twice.
    """

    features: CellFeatures
    labels: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None
    hashes: NDArray[np.bytes_] | None = None

    def __len__(self) -> int:
        return len(self.labels)
