"""Numbers of cells that take a while, computed once: of the whole space, or of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray

from pyg_nas.cached_arrays import read_cached, write_cached
from pyg_nas.cell_array import CellArray
from pyg_nas.enumeration import CACHE_VERSION, is_nasbench101, nasbench101_cells
from pyg_nas.features import BLOCK_CELLS, STATISTICS_VERSION, CellFeatures, cell_features
from pyg_nas.threads import single_threaded_pool

Array = NDArray[np.float32]
Compute = Callable[[CellArray, CellFeatures], Array]

_space: dict[str, Array] = {}
_latest: dict[str, tuple[bytes, Array]] = {}


def columns_of(cells: CellArray, computes: Mapping[str, Compute]) -> dict[str, Array]:
    """Return columns of cells by name, float32 ``[N, columns]``, computed only where unknown.

    Of :func:`~pyg_nas.enumeration.nasbench101_cells` they are computed once and then read from
    the cache folder. Of other cells the latest are kept by name: a search scores the same
    ones again and again.

    Args:
        cells: ``N`` > 0 cells of NAS-Bench-101.
        computes: What gives the columns of some cells from them and their statistics, by a name
            in the cache: another one for other columns.
    """
    if is_nasbench101(cells):
        return _of_the_space(computes)
    digest = _digest(cells)
    # Another thread may put other cells' columns there meanwhile: what is found is held on to.
    kept = {name: _latest[name] for name in computes if name in _latest}
    found = {name: columns for name, (of, columns) in kept.items() if of == digest}
    computed = _computed(cells, computes, [name for name in computes if name not in found])
    _latest.update({name: (digest, columns) for name, columns in computed.items()})
    found |= computed
    return {name: found[name] for name in computes}


def _of_the_space(computes: Mapping[str, Compute]) -> dict[str, Array]:
    for name in computes.keys() - _space.keys():
        arrays = read_cached(_cache_name(name))
        if arrays is not None:
            _space[name] = arrays["columns"]
    unknown = [name for name in computes if name not in _space]
    for name, columns in _computed(nasbench101_cells(), computes, unknown).items():
        write_cached(_cache_name(name), {"columns": columns})
        _space[name] = columns
    return {name: _space[name] for name in computes}


def _cache_name(name: str) -> str:
    """Name columns with the versions of what they are computed from: statistics and cells."""
    return f"nasbench101-{name}-{STATISTICS_VERSION}-{CACHE_VERSION}"


def _digest(cells: CellArray) -> bytes:
    content = sha256()
    for array in (cells.adjacency, cells.operations, cells.num_vertices):
        content.update(array.tobytes())
    return content.digest()


def _computed(
    cells: CellArray, computes: Mapping[str, Compute], names: list[str]
) -> dict[str, Array]:
    """The columns of ``names``; a block's statistics serve all of them."""
    if not names:
        return {}

    def part(start: int) -> dict[str, Array]:
        block = cells[start : start + BLOCK_CELLS]
        features = cell_features(block)
        return {name: computes[name](block, features) for name in names}

    with single_threaded_pool(torch.get_num_threads()) as pool:
        # The first block alone: what the computations read or fit once is then there for all.
        first = pool.submit(part, 0).result()
        parts = [first, *pool.map(part, range(BLOCK_CELLS, len(cells), BLOCK_CELLS))]
    return {name: np.concatenate([found[name] for found in parts]) for name in names}
