"""Features of many cells in blocks, with extra groups that are slow to compute and cached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pyg_nas.compute.bounded_cache import BoundedCache
from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.features.graph_features import (
    BLOCK_CELLS,
    FEATURE_VERSION,
    CellFeatures,
    cell_features,
    cells_per_block,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.array_cache import read_cached, write_cached

Array = NDArray[np.float32]
Groups = dict[str, Array]
Use = Callable[[slice, CellArray, CellFeatures], None]


@dataclass(frozen=True)
class ExtraGroup:
    """A group of features that follows from cells and their other features.

    Args:
        name: Name of the group.
        compute: Returns it, float32 ``[N, features]``, from ``N`` cells and their features.
        digest: Returns a text that identifies the data from which it is computed in a space.
    """

    name: str
    compute: Callable[[CellArray, CellFeatures], Array]
    digest: Callable[[SearchSpace], str]


# Both extra groups of a whole space and of the cells that a search scores again and again.
_GROUPS: BoundedCache[tuple[str, bytes], Array] = BoundedCache(4)
# The other features of few enough cells, by cells and block: as much as 40 MB.
_FEATURES: BoundedCache[tuple[str, bytes, int, int], CellFeatures] = BoundedCache(4)
# Those of many cells without their vertices' features, 0.8 KB per cell, by first row of a block.
_MANY: BoundedCache[tuple[str, bytes], dict[int, CellFeatures]] = BoundedCache(1)
_MOST_MANY = 500_000
_KEY = "columns"  # of the arrays in the cache folder, as version 0.1 wrote them


def extended_features(cells: CellArray, extra: Sequence[ExtraGroup]) -> CellFeatures:
    """Return the features of ``N`` cells with extra groups."""
    return _extended(cells, cell_features(cells), extra, {})


def _extended(
    cells: CellArray,
    features: CellFeatures,
    extra: Sequence[ExtraGroup],
    known: Mapping[str, Array],
) -> CellFeatures:
    new = {g.name: g.compute(cells, features) for g in extra if g.name not in known}
    return features.with_groups({**known, **new})


def map_blocks(
    cells: CellArray,
    extra: Sequence[ExtraGroup],
    use: Use,
    without_vertices: bool = False,
    again: bool = False,
) -> None:
    """Call ``use`` with each block's rows, cells and features with extra groups, in threads.

    Extra groups are computed only if they are not cached. Those of all cells of a space are stored
    in the cache folder. Those of the latest cells stay in memory, for few cells with the other
    features, because a search scores the same cells in each round.

    Args:
        cells: The cells; may be empty.
        extra: The groups.
        use: Called from several threads, in which torch and BLAS are single-threaded.
        without_vertices: Whether ``use`` needs no features of vertices, which may then be missing.
        again: Whether many cells will be needed again, so that up to 500,000 of them are cached.
    """
    if not len(cells):
        return
    known = _known(cells, extra)
    new = [group for group in extra if group.name not in known]
    step = cells_per_block(cells, BLOCK_CELLS)
    few = len(cells) <= _FEATURES.limit * step
    many: dict[int, CellFeatures] | None = None
    if without_vertices and not few and not new and len(cells) <= _MOST_MANY:
        many = _MANY.get((cells.space.name, cells.digest))
        if many is None and again:
            many = {}
            _MANY.put((cells.space.name, cells.digest), many)

    def block_features(rows: slice, block: CellArray) -> CellFeatures:
        if many is not None:
            found = many.get(rows.start)
            if found is None:
                computed = cell_features(block)
                found = CellFeatures(computed.groups, computed.vertex[:, :0])
                many[rows.start] = found
            return found
        if not few:
            return cell_features(block)
        key = cells.space.name, cells.digest, rows.start, rows.stop
        features = _FEATURES.get(key)
        if features is None:
            features = cell_features(block)
            _FEATURES.put(key, features)
        return features

    def pass_block(start: int) -> Groups:
        rows = slice(start, min(start + step, len(cells)))
        block = cells[rows]
        of_block = {name: group[rows] for name, group in known.items()}
        features = _extended(block, block_features(rows, block), extra, of_block)
        use(rows, block, features)
        return {group.name: features.groups[group.name] for group in new}

    # These are small operations, which gain more from one thread per block than from torch's own
    # threads.
    with single_threaded_pool(torch.get_num_threads()) as pool:
        # The first block alone, which computes intermediate results that all blocks share.
        first = pool.submit(pass_block, 0).result()
        parts = [first, *pool.map(pass_block, range(step, len(cells), step))]
    for group in new:
        _keep(cells, group, np.concatenate([part[group.name] for part in parts]))


def _known(cells: CellArray, extra: Sequence[ExtraGroup]) -> Groups:
    found = {}
    for group in extra:
        name = _cache_name(cells, group)
        values = _GROUPS.get((name, cells.digest))
        if values is None and cells.space.support.is_whole(cells):
            arrays = read_cached(name)
            if arrays is not None:
                values = arrays[_KEY]
                _GROUPS.put((name, cells.digest), values)
        if values is not None:
            found[group.name] = values
    return found


def _keep(cells: CellArray, group: ExtraGroup, values: Array) -> None:
    name = _cache_name(cells, group)
    _GROUPS.put((name, cells.digest), values)
    if cells.space.support.is_whole(cells):
        write_cached(name, {_KEY: values})


def _cache_name(cells: CellArray, group: ExtraGroup) -> str:
    """Name a group by its inputs: its data, the feature version and the cells."""
    data = f"{group.name}-{group.digest(cells.space)}-{FEATURE_VERSION}"
    return f"{cells.space.name}-{data}-{cells.digest.hex()[:16]}"
