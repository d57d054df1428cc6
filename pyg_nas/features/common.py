"""Features that cells of different spaces have in common, for predictors that serve them all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyg_nas.features.graph_features import CellFeatures, graph_feature_names
from pyg_nas.graphs.search_space import SearchSpace

_SIZE = "log parameters"
_OF_KINDS = (*("longest", "shortest", "number of"), *("path mean", "backward walk", "forward walk"))
_SET = "convolutions"
# Features of other operations made rankings of a space that was left out no better
# (experiments/transfer.py).
_OPERATION = "conv3x3"

COMMON_FEATURES = (_SIZE, *(f"{what} {kind}" for kind in (_OPERATION, _SET) for what in _OF_KINDS))
"""Names of the features of :func:`common_features`, in their order."""


def common_features(space: SearchSpace, features: CellFeatures) -> NDArray[np.float32]:
    """Return the common features of cells, float32 ``[N, 13]``, by :data:`COMMON_FEATURES`.

    Args:
        space: Space of the ``N`` cells; its support names its ``common_operations``.
        features: Features of the cells.
    """
    names = graph_feature_names(space)
    here = (space.support.common_operations[_OPERATION], _SET)
    columns = [names.index(_SIZE)]
    columns += [names.index(f"{what} {kind}") for kind in here for what in _OF_KINDS]
    return np.asarray(features.groups["graph"][:, columns])
