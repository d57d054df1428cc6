"""Zero-cost numbers of any NAS-Bench-101 cell, without building its network.

How large the gradients are in an untrained network of a cell, and how far images stay apart in
it, takes a pass through the network and is noisy (:mod:`pyg_nas.measure.zero_cost`). Both follow
from the cell's graph up to the random weights, though: a graph network that was trained on many
measured cells predicts them from the graph, without the noise. No label of any task is involved.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.shipped import zero_cost_network_path
from pyg_nas.features.graph_features import CellFeatures
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.storage import WEIGHTS, load_model

if TYPE_CHECKING:
    from pyg_nas.predictors.residual_gnn import ResidualGNNRegressor


@lru_cache(maxsize=1)
def zero_cost_digest() -> str:
    """Return 16 hex digits that name the shipped network."""
    return sha256((zero_cost_network_path() / WEIGHTS).read_bytes()).hexdigest()[:16]


@lru_cache(maxsize=1)
def zero_cost_network() -> ResidualGNNRegressor:
    """Return the shipped network, read on the first call.

    Raises:
        ModelError: If it is missing or damaged, or was trained on other features of cells.
    """
    network: ResidualGNNRegressor = load_model(zero_cost_network_path(), device="cpu")
    return network


def zero_cost_features(cells: CellArray, features: CellFeatures) -> NDArray[np.float32]:
    """Return the zero-cost numbers of NAS-Bench-101 cells, float32 ``[N, 28]``.

    They are those of :data:`pyg_nas.measure.zero_cost.STATISTICS`, in their order.

    Args:
        cells: ``N`` cells.
        features: Theirs.
    """
    members = zero_cost_network().predict_features(cells, features)
    return np.asarray(members.mean(axis=0), dtype=np.float32)
