"""Features beside those of the graph that parts of the recipes best and fast read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import ModelError
from pyg_nas.features.blocks import ExtraGroup
from pyg_nas.features.graph_features import PATH_GROUP, TRANSFER_GROUP, ZERO_COST_GROUP
from pyg_nas.features.paths import path_features
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.transfer.digits import (
    are_shipped_labels,
    transfer_digest,
    transfer_features,
)
from pyg_nas.predictors.zero_cost import zero_cost_digest, zero_cost_features

EXTRA_GROUPS = {
    group.name: group
    for group in (
        ExtraGroup(ZERO_COST_GROUP, zero_cost_features, zero_cost_digest),
        ExtraGroup(
            TRANSFER_GROUP,
            lambda cells, features: transfer_features(features),
            lambda space: transfer_digest(),
        ),
    )
}
"""Groups of features that are computed from shipped data, by name."""

PATHS = ExtraGroup(PATH_GROUP, lambda cells, features: path_features(cells), lambda space: "")
"""The path features, which need no data."""


def offered_groups(cells: CellArray, labels: NDArray[np.float64], transfer: bool) -> dict[str, str]:
    """Return names of the extra groups that training cells have, and digests of their data.

    Args:
        cells: ``N`` training cells.
        labels: Their labels ``[N]``, which must not be the shipped ones of another task.
        transfer: Whether features may be transferred from that task.
    """
    support, names = cells.space.support, []
    if support.zero_cost_model is not None:
        names.append(ZERO_COST_GROUP)
    transfers = transfer and support.transfer_table is not None
    if transfers and not are_shipped_labels(cells, labels):
        names.append(TRANSFER_GROUP)
    return {name: EXTRA_GROUPS[name].digest(cells.space) for name in names}


def check_digests(digests: Mapping[str, str], space: SearchSpace) -> None:
    """Check that the extra groups of a stored model are computed from the same data here.

    Args:
        digests: Digests of the data, by group.
        space: Space of the training cells.

    Raises:
        ModelError: If there is no such group, or its data are others.
    """
    for name, digest in digests.items():
        if name not in EXTRA_GROUPS:
            raise ModelError(
                f"extra_features must be some of {', '.join(EXTRA_GROUPS)}, got {name!r}"
            )
        here = EXTRA_GROUPS[name].digest(space)
        if digest != here:
            raise ModelError(
                f"this model was trained with another version of the shipped {name} data: "
                f"{digest!r}, this package has {here!r}; train it again"
            )
