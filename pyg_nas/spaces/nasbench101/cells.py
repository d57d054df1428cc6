"""All cells of NAS-Bench-101, their hashes and costs, computed once and then read from a cache."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.enumeration import CACHE_VERSION, enumerate_graphs
from pyg_nas.io.array_cache import Arrays, cached_arrays
from pyg_nas.spaces.nasbench101.space import NASBENCH101, NUM_NASBENCH101_CELLS


def nasbench101_cells() -> CellArray:
    """Return all 423,624 cells of NAS-Bench-101 in the order of
    :func:`~pyg_nas.graphs.enumeration.enumerate_graphs`.
    """
    return NASBENCH101.support.cells()


def nasbench101_hashes() -> NDArray[np.bytes_]:
    """Return the module hashes of :func:`nasbench101_cells`, ``S32 [423624]``."""
    return NASBENCH101.support.hashes()


def read_cells() -> CellArray:
    """Read all cells from the cache folder, or enumerate them and write them there."""
    arrays = cached_arrays(f"nasbench101-cells-{CACHE_VERSION}", _enumerated)
    size = NASBENCH101.max_vertices
    bits = np.unpackbits(arrays["adjacency"], axis=1, count=size * size)
    return CellArray(
        bits.reshape(-1, size, size).astype(np.int8),
        arrays["operations"],
        arrays["num_vertices"],
        NASBENCH101,
    )


def _enumerated() -> Arrays:
    cells = enumerate_graphs(NASBENCH101)
    return {
        "adjacency": np.packbits(cells.adjacency.reshape(len(cells), -1), axis=1),
        "operations": cells.operations,
        "num_vertices": cells.num_vertices,
    }


def read_hashes(cells: CellArray) -> NDArray[np.bytes_]:
    """Read the hashes of all cells from the cache folder, or compute them and write them there."""
    name = f"nasbench101-hashes-{CACHE_VERSION}"
    return cached_arrays(name, lambda: {"hashes": cells.hashes()})["hashes"]


def cached_costs(
    cost: str,
    cells: CellArray,
    size: NetworkSize,
    compute: Callable[[CellArray, NetworkSize], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Return a cost of the networks of ``cells``, ``[N]``; for all cells, from the cache folder.

    Args:
        cost: Name of the cost.
        cells: ``N`` cells.
        size: Size of the networks.
        compute: Computes the cost ``[N]`` of cells at a size.
    """
    if len(cells) != NUM_NASBENCH101_CELLS or not NASBENCH101.support.is_whole(cells):
        return compute(cells, size)
    digest = sha256(f"{NASBENCH101!r} {size!r}".encode()).hexdigest()[:16]
    name = f"nasbench101-{cost}-{CACHE_VERSION}-{digest}"
    return cached_arrays(name, lambda: {cost: compute(cells, size)})[cost]
