"""One Gaussian process for each space with shipped tables, fitted to these.

The scale of features and the influence of each feature are similar for all tasks of a space. A
process for a new task with few labels takes both from the shipped tables, which have many labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

import numpy as np

from pyg_nas.data.tables.shipped import shipped_table
from pyg_nas.features.blocks import ExtraGroup, extended_features
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.array_cache import Arrays, cached_arrays
from pyg_nas.predictors.gaussian_process.regressor import GROUPS, GaussianProcess
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.storage.state import pack_state, unpack_state
from pyg_nas.predictors.transfer.common_process import common_digest, table_latents

_VERSION = 2
_LEAST_CELLS = 50


@lru_cache
def space_process(
    space: SearchSpace, tables: tuple[str, ...], extra: tuple[ExtraGroup, ...]
) -> GaussianProcess | None:
    """Return the process of a space, fitted to the mean latent labels of shipped tables.

    Args:
        space: The space.
        tables: Names of the tables that may be used.
        extra: Groups of features beside those of the graph.

    Returns:
        The process, or None if fewer than 50 cells of the space are in all of these tables that
        are of the space, or of the space of its twins.
    """
    twins = space.support.twins(space.support.cells()[:1]).space
    used = [name for name in tables if name in twins.support.common_tables]
    if not used:
        return None
    text = " ".join([str(_VERSION), space.name, *(g.name + g.digest(space) for g in extra)])
    digest = sha256(f"{text} {common_digest(used)}".encode()).hexdigest()[:16]
    process = GaussianProcess((*GROUPS, *(group.name for group in extra)))

    def fit() -> Arrays:
        return pack_state(_fit(process, space, used, extra))

    unpack_state(process, cached_arrays(f"space-process-{digest}", fit))
    return process if len(process.dual_) >= _LEAST_CELLS else None


def _fit(
    process: GaussianProcess,
    space: SearchSpace,
    tables: Sequence[str],
    extra: Sequence[ExtraGroup],
) -> GaussianProcess:
    opened = [shipped_table(name) for name in tables]
    latents = [
        dict(zip(table.hashes.tolist(), table_latents(table).tolist(), strict=True))
        for table in opened
    ]
    cells = space.support.cells()
    hashes = space.support.twins(cells).hashes()
    # Of cells with one twin, the smallest alone has its label.
    by_size = np.argsort(cells.num_vertices, kind="stable")
    smallest = np.sort(by_size[np.unique(hashes[by_size], return_index=True)[1]])
    rows = [i for i in smallest.tolist() if all(hashes[i] in known for known in latents)]
    labels = np.array([[known[hashes[i]] for known in latents] for i in rows]).mean(axis=1)
    kept = cells[np.array(rows)]
    return process.fit_features(space, LabelledFeatures(extended_features(kept, extra), labels))
