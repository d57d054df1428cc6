"""Many cells in blocks, with numbers of them that take a while: computed once and then known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray

from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.features.graph_statistics import (
    BLOCK_CELLS,
    STATISTICS_VERSION,
    CellFeatures,
    cell_features,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import CACHE_VERSION, is_nasbench101
from pyg_nas.io.array_cache import read_cached, write_cached

Array = NDArray[np.float32]
Columns = dict[str, Array]
Compute = Callable[[CellArray, CellFeatures], Array]
Use = Callable[[slice, CellArray, CellFeatures, Columns], None]

_space: Columns = {}
_latest: dict[str, tuple[bytes, Array]] = {}


def over_blocks(cells: CellArray, computes: Mapping[str, Compute], use: Use) -> None:
    """Call ``use`` with each block's rows, cells, statistics and columns by name, in threads.

    Columns, float32 ``[cells of the block, columns]``, are computed only where unknown. Those of
    :func:`~pyg_nas.graphs.enumeration.nasbench101_cells` are read from the cache folder ever after.
    Of other cells the latest are kept by name: a search scores the same ones again and again.

    Args:
        cells: Any number of cells; of none nothing is computed.
        computes: What gives the columns of some cells from them and their statistics, by a name
            in the cache: another one for other columns.
        use: Called from several threads. Torch and BLAS use no further ones in them.
    """
    if not len(cells):
        return
    digest = None if is_nasbench101(cells) else _digest(cells)
    known = _known(digest, computes.keys())

    def pass_block(start: int) -> Columns:
        rows = slice(start, min(start + BLOCK_CELLS, len(cells)))
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
        parts = [first, *pool.map(pass_block, range(BLOCK_CELLS, len(cells), BLOCK_CELLS))]
    _keep(digest, {name: np.concatenate([part[name] for part in parts]) for name in first})


def _known(digest: bytes | None, names: Set[str]) -> Columns:
    """What is known of the cells with a digest, or of the whole space."""
    if digest is not None:
        # Another thread may put other cells' columns there meanwhile: what is found is held on to.
        kept = {name: _latest[name] for name in names if name in _latest}
        return {name: columns for name, (of, columns) in kept.items() if of == digest}
    for name in names - _space.keys():
        arrays = read_cached(_cache_name(name))
        if arrays is not None:
            _space[name] = arrays["columns"]
    return {name: _space[name] for name in names if name in _space}


def _keep(digest: bytes | None, computed: Columns) -> None:
    for name, columns in computed.items():
        if digest is not None:
            _latest[name] = digest, columns
        else:
            write_cached(_cache_name(name), {"columns": columns})
            _space[name] = columns


def _cache_name(name: str) -> str:
    """Name columns with the versions of what they are computed from: statistics and cells."""
    return f"nasbench101-{name}-{STATISTICS_VERSION}-{CACHE_VERSION}"


def _digest(cells: CellArray) -> bytes:
    content = sha256()
    for array in (cells.adjacency, cells.operations, cells.num_vertices):
        content.update(array.tobytes())
    return content.digest()
