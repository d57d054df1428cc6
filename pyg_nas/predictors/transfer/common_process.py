"""One Gaussian process for cells of several spaces, fitted to the shipped tables.

Cells of all spaces have the same features (:mod:`pyg_nas.features.common`), each as its rank within
the space, and labels that are ranks within their table. The process that is fitted to the shipped
tables therefore ranks the cells of a space without a label of it. The labels are this package's own
measurements on embedded tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.tables.shipped import shipped_measurements, shipped_table
from pyg_nas.data.tables.table import Table
from pyg_nas.features.common import common_features
from pyg_nas.features.graph_features import (
    FEATURE_VERSION,
    CellFeatures,
    cell_features,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import package_spaces
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.array_cache import Arrays, cached_arrays
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess
from pyg_nas.predictors.label_transform import latent_labels
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.storage.state import pack_state, unpack_state
from pyg_nas.predictors.zero_cost import proxy_digest
from pyg_nas.spaces.measurements import END, METRICS

# Raised when the process changes, which is stored in the cache folder.
_VERSION = 3
_TUNING_CELLS = 700
_MOST_CELLS = 20_000
_GROUP = "graph"

Array = NDArray[np.float64]


def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped tables of all spaces."""
    return tuple(name for space in package_spaces() for name in space.support.common_tables)


def fit_common_process(tables: Sequence[Table]) -> GaussianProcess:
    """Fit a process to the cells of measured tables, the same cell once for each table."""
    inputs = [_inputs(table.cells) for table in tables]
    joined = {_GROUP: np.concatenate([part.groups[_GROUP] for part in inputs])}
    features = CellFeatures(joined, np.concatenate([part.vertex for part in inputs]))
    labels = np.concatenate([table_latents(table) for table in tables])
    process = GaussianProcess((_GROUP,), tuning_cells=_TUNING_CELLS)
    return process.fit_features(tables[0].space, LabelledFeatures(features, labels))


def table_latents(table: Table) -> Array:
    """Return latent labels ``[N]``: of the mean of all final accuracies on unseen images."""
    unseen = [METRICS.index(name) for name in ("validation_accuracy", "test_accuracy")]
    final = table.metrics[:, -1, :, END][..., unseen].astype(np.float64)
    return latent_labels(final.mean(axis=(1, 2)))


def common_scores(process: GaussianProcess, cells: CellArray) -> Array:
    """Return the scores ``[N]`` of cells by such a process: larger is better."""
    return process.predict_features(_inputs(cells), with_std=False)[0]


def common_digest(tables: Sequence[str], space: SearchSpace | None = None) -> str:
    """Return 16 hex digits that identify shipped tables and the version of this module.

    Args:
        tables: Names of the tables.
        space: Space of the scored cells, whose shipped data are then included.
    """
    content = sha256(f"{_VERSION} {FEATURE_VERSION}".encode())
    if space is not None:
        content.update(proxy_digest(space))
    for name in tables:
        content.update(_table_digest(name))
    return content.hexdigest()[:16]


@lru_cache
def _table_digest(name: str) -> bytes:
    return sha256(shipped_measurements(name)).digest()


@lru_cache
def shipped_process(tables: tuple[str, ...]) -> GaussianProcess:
    """Return the common process of shipped tables."""

    def fit() -> Arrays:
        return pack_state(fit_common_process([shipped_table(name) for name in tables]))

    process = GaussianProcess((_GROUP,), tuning_cells=_TUNING_CELLS)
    unpack_state(process, cached_arrays(f"common-process-{common_digest(tables)}", fit))
    return process


def _inputs(cells: CellArray) -> CellFeatures:
    """Return the common features of cells as normal scores of their ranks in the cells' space."""
    from scipy.special import ndtri

    twins = cells.space.support.twins(cells)
    found, known = _raw(twins), _reference(twins.space)
    below = [
        [np.searchsorted(column, values, side) for column, values in zip(known, found, strict=True)]
        for side in ("left", "right")
    ]
    total = known.shape[1]
    shares = np.mean(below, axis=0) / total
    scores = ndtri(np.clip(shares, 0.5 / total, 1 - 0.5 / total))
    return CellFeatures(
        {_GROUP: scores.T.astype(np.float32)}, np.empty((len(cells), 0, 0), dtype=np.float32)
    )


def _raw(cells: CellArray) -> NDArray[np.float32]:
    return np.asarray(common_features(cells.space, cell_features(cells)).T)


@lru_cache
def _reference(space: SearchSpace) -> NDArray[np.float32]:
    """Return the sorted features ``[features, cells]`` of a space, or of a sample of its cells."""
    support = space.support
    is_small = support.num_cells is not None and support.num_cells <= _MOST_CELLS
    sample = support.cells() if is_small else shipped_table(support.common_tables[0]).cells
    return np.sort(_raw(sample), axis=1)
