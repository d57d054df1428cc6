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
    FEATURE_BLOCK,
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


_MOST_BLOCKS = 4  # of few cells: as much as 40 MB
_MOST_MANY = 500_000  # 0.8 KB per cell
_KEY = "columns"  # of the arrays in the cache folder, as version 0.1 wrote them


class FeatureCache:
    """Features of the cells of one space that were used last, by the digest of the cells.

    Cells are few if they are at most four blocks, else many.
    """

    def __init__(self) -> None:
        # Both extra groups of a whole space and of the cells that a search scores again and again.
        self._groups: BoundedCache[tuple[str, bytes], Array] = BoundedCache(4)
        # The other features of few cells, by cells and rows of the block.
        self._few: BoundedCache[tuple[bytes, int, int], CellFeatures] = BoundedCache(_MOST_BLOCKS)
        # Those of many cells without their vertices' features, by first row of a block.
        self._many: BoundedCache[bytes, dict[int, CellFeatures]] = BoundedCache(1)

    def groups(self, cells: CellArray, extra: Sequence[ExtraGroup]) -> Groups:
        """Return the extra groups that are known; for all cells of a space, files are read."""
        found = {}
        for group in extra:
            name = _cache_name(cells, group)
            values = self._groups.get((name, cells.digest))
            if values is None and cells.space.support.is_whole(cells):
                arrays = read_cached(name)
                if arrays is not None:
                    values = arrays[_KEY]
                    self._groups.put((name, cells.digest), values)
            if values is not None:
                found[group.name] = values
        return found

    def keep(self, cells: CellArray, group: ExtraGroup, values: Array) -> None:
        """Store an extra group ``[N, features]``; for all cells of a space, also in a file."""
        name = _cache_name(cells, group)
        self._groups.put((name, cells.digest), values)
        if cells.space.support.is_whole(cells):
            write_cached(name, {_KEY: values})

    def of_few(self, cells: CellArray, rows: slice, block: CellArray) -> CellFeatures:
        """Return the features of a block of few cells without extra groups."""
        key = cells.digest, rows.start, rows.stop
        return self._few.get_or(key, lambda: cell_features(block))

    def of_many(self, cells: CellArray, again: bool) -> dict[int, CellFeatures] | None:
        """Return the features of many cells without their vertices', by first row of a block.

        The caller adds blocks. None if these cells are not cached and not needed ``again``.
        """
        if len(cells) > _MOST_MANY:
            return None
        return self._many.get_or(cells.digest, dict) if again else self._many.get(cells.digest)


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
    cache = cells.space.support.cache(FeatureCache)
    known = cache.groups(cells, extra)
    new = [group for group in extra if group.name not in known]
    step = cells_per_block(cells, FEATURE_BLOCK)
    few = len(cells) <= _MOST_BLOCKS * step
    many = None
    if without_vertices and not few and not new:
        many = cache.of_many(cells, again)

    def block_features(rows: slice, block: CellArray) -> CellFeatures:
        if few:
            return cache.of_few(cells, rows, block)
        if many is None:
            return cell_features(block)
        if rows.start not in many:
            computed = cell_features(block)
            many[rows.start] = CellFeatures(computed.groups, computed.vertex[:, :0])
        return many[rows.start]

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
        cache.keep(cells, group, np.concatenate([part[group.name] for part in parts]))


def _cache_name(cells: CellArray, group: ExtraGroup) -> str:
    """Name a group by its inputs: its data, the feature version and the cells."""
    data = f"{group.name}-{group.digest(cells.space)}-{FEATURE_VERSION}"
    return f"{cells.space.name}-{data}-{cells.digest.hex()[:16]}"
