"""Many cells in blocks, with numbers of them that take a while: computed once and then known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

import numpy as np
import torch
from numpy.typing import NDArray

from pyg_nas.compute.bounded_cache import BoundedCache
from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.features.graph_statistics import (
    BLOCK_CELLS,
    STATISTICS_VERSION,
    CellFeatures,
    cell_features,
    cells_per_block,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.array_cache import read_cached, write_cached

Array = NDArray[np.float32]
Columns = dict[str, Array]
Compute = Callable[[CellArray, CellFeatures], Array]
Use = Callable[[slice, CellArray, CellFeatures, Columns], None]

# Both groups of columns of a whole space and of the cells that a search scores again and again.
_COLUMNS: BoundedCache[tuple[str, bytes], Array] = BoundedCache(4)


def over_blocks(cells: CellArray, computes: Mapping[str, Compute], use: Use) -> None:
    """Call ``use`` with each block's rows, cells, statistics and columns by name, in threads.

    Columns, float32 ``[cells of the block, columns]``, are computed only where unknown. Those of
    all cells of a space are read from the cache folder ever after, and the latest of any cells are
    kept in memory: a search scores the same ones again and again.

    Args:
        cells: The cells; may be empty.
        computes: What gives the columns of some cells from them and their statistics, by a name
            in the cache: another one for other columns.
        use: Called from several threads. Torch and BLAS use no further ones in them.
    """
    if not len(cells):
        return
    known = _known(cells, computes.keys())

    step = cells_per_block(cells, BLOCK_CELLS)

    def pass_block(start: int) -> Columns:
        rows = slice(start, min(start + step, len(cells)))
        block = cells[rows]
        features = cell_features(block)
        columns = {name: columns[rows] for name, columns in known.items()}
        new = {name: computes[name](block, features) for name in computes.keys() - known.keys()}
        use(rows, block, features, columns | new)
        return new

    # Statistics and what is made of them are small operations, which gain more from threads of
    # ours, each with its own cells, than from torch's inside them.
    with single_threaded_pool(torch.get_num_threads()) as pool:
        # The first block alone: what the computations read or fit once is then there for all.
        first = pool.submit(pass_block, 0).result()
        parts = [first, *pool.map(pass_block, range(step, len(cells), step))]
    _keep(cells, {name: np.concatenate([part[name] for part in parts]) for name in first})


def _known(cells: CellArray, names: Set[str]) -> Columns:
    found = {}
    for name in names:
        columns = _COLUMNS.get((name, cells.digest))
        if columns is None and cells.space.support.is_whole(cells):
            arrays = read_cached(_cache_name(cells, name))
            if arrays is not None:
                columns = arrays["columns"]
                _COLUMNS.put((name, cells.digest), columns)
        if columns is not None:
            found[name] = columns
    return found


def _keep(cells: CellArray, computed: Columns) -> None:
    for name, columns in computed.items():
        _COLUMNS.put((name, cells.digest), columns)
        if cells.space.support.is_whole(cells):
            write_cached(_cache_name(cells, name), {"columns": columns})


def _cache_name(cells: CellArray, name: str) -> str:
    """Name columns by what they are computed from: the features' version and the cells."""
    return f"{cells.space.name}-{name}-{STATISTICS_VERSION}-{cells.digest.hex()[:16]}"
