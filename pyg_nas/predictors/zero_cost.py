"""Zero-cost numbers of any cell of a space with shipped ones, without building its network.

Zero-cost numbers (sizes of gradients and distances of images in an untrained network) need a pass
through the network, and are noisy (:mod:`pyg_nas.measure.zero_cost`). For NAS-Bench-101 a graph
network that was trained on many measured cells predicts them from the cell's graph, without the
noise. All cells of NAS-Bench-201 were measured, the numbers were smoothed over cells with nearly
the same operations, and they are looked up; cells of TransNAS-Bench-101 have those of the same
operations. No label of any task is used.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.tables.shipped import zero_cost_path
from pyg_nas.errors import ModelError
from pyg_nas.features.graph_features import CellFeatures
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.formats.npz import read_npz
from pyg_nas.predictors.storage.folder import WEIGHTS, load_model

if TYPE_CHECKING:
    from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor

_STATISTICS = "statistics"


@lru_cache
def zero_cost_digest(space: SearchSpace) -> str:
    """Return 16 hex digits that name the shipped numbers of a space, or their network."""
    path = _shipped(space)
    file = path / WEIGHTS if path.is_dir() else path
    return sha256(file.read_bytes()).hexdigest()[:16]


def _shipped(space: SearchSpace) -> Path:
    name = space.support.zero_cost_model
    if name is None:
        raise ModelError(f"there are no zero-cost numbers of cells of space {space.name!r}")
    return zero_cost_path(name)


@lru_cache
def _network(path: Path) -> ResidualGNNRegressor:
    network: ResidualGNNRegressor = load_model(path, device="cpu")
    return network


@lru_cache
def _measured(path: Path) -> NDArray[np.float32]:
    """Return the numbers of all cells of the space of :meth:`SpaceSupport.twins`."""
    arrays = read_npz(path, (_STATISTICS,), ModelError)
    if _STATISTICS not in arrays:
        raise ModelError(f"{path}: has no array {_STATISTICS!r}")
    return arrays[_STATISTICS].astype(np.float32)


def zero_cost_features(cells: CellArray, features: CellFeatures) -> NDArray[np.float32]:
    """Return the zero-cost numbers of cells, float32 ``[N, 28]``.

    They are those of :data:`pyg_nas.measure.zero_cost.NUMBERS`, in their order.

    Raises:
        ModelError: If the shipped data are missing, damaged or of other features of cells, or
            there are none for the space.
    """
    path = _shipped(cells.space)
    if path.is_dir():
        members = _network(path).predict_features(cells, features)
        return np.asarray(members.mean(axis=0), dtype=np.float32)
    return rows_of_twins(_measured(path), cells.space.support.twins(cells))


def propagation_numbers(cells: CellArray) -> NDArray[np.float32]:
    """Return the propagation numbers of cells, float32 ``[N, 3]``.

    They are those of :data:`pyg_nas.measure.propagation.PROPERTIES`, in their order, each as the
    share of the space's cells that are lower, averaged over several random networks.

    Raises:
        ModelError: If the shipped numbers are missing or damaged, or there are none for the space.
    """
    return _proxies(cells, "propagation")


def weight_information_numbers(cells: CellArray) -> NDArray[np.float32]:
    """Return the numbers of the information about weights of cells, float32 ``[N, 2]``.

    They are those of :data:`pyg_nas.measure.weight_information.INFORMATION`, in their order, each
    as the share of the space's cells that are lower.

    Raises:
        ModelError: If the shipped numbers are missing or damaged, or there are none for the space.
    """
    return _proxies(cells, "weight information")


def _proxies(cells: CellArray, measured: str) -> NDArray[np.float32]:
    support = cells.space.support
    name = support.proxy_files.get(measured)
    if name is None:
        raise ModelError(f"there is no shipped {measured} of cells of space {cells.space.name!r}")
    return rows_of_twins(_measured(zero_cost_path(name)), support.twins(cells))


@lru_cache
def proxy_digest(space: SearchSpace) -> bytes:
    """Return a digest of what is shipped of untrained networks of a space; empty for nothing."""
    files = [zero_cost_path(name) for name in space.support.proxy_files.values()]
    return b"".join(sha256(file.read_bytes()).digest() for file in files)


def rows_of_twins(values: NDArray[Any], twins: CellArray) -> NDArray[Any]:
    """Return the values of cells ``[N, ...]`` from those of all cells of their space.

    Args:
        values: ``[cells, ...]`` in the order of the space.
        twins: The cells, of the space that has shipped data.
    """
    return np.asarray(values[twins.space.support.positions(twins)])
