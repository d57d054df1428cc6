"""Scores of cells without a label of their space, from what the package ships.

There are two: by a process that is fitted to the shipped tables
(:mod:`pyg_nas.predictors.transfer.common_process`), and by untrained networks
(:mod:`pyg_nas.measure.propagation`, :mod:`pyg_nas.measure.weight_information`), if the package has
their numbers for the space.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.bounded_cache import BoundedCache
from pyg_nas.errors import ModelError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import package_spaces
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.metrics.ranks import ranks
from pyg_nas.predictors.transfer.common_process import (
    common_digest,
    common_scores,
    shipped_names,
    shipped_process,
)
from pyg_nas.predictors.validation import Cells, as_cells
from pyg_nas.predictors.zero_cost import (
    propagation_numbers,
    rows_of_twins,
    weight_information_numbers,
)

Array = NDArray[np.float64]


def transfer_scores(cells: Cells, tables: Sequence[str] | None = None) -> Array:
    """Return scores ``[N]`` of cells by the shipped tables and untrained networks, no other label.

    A score is a latent label: about 0 for a mean cell of its space and 1 for one that is better
    than 84 % of them.

    Args:
        cells: The cells, or a table, dataset or list of cells.
        tables: Names of the shipped tables to use; None for all.

    Raises:
        ModelError: If there are no cells, or their space has no features in common with the
            shipped tables.
    """
    cells = as_cells(cells)
    check_transferable(cells.space)
    names = shipped_names() if tables is None else tuple(tables)
    if not cells.space.support.proxy_files:
        return process_scores(cells, names)
    twins = cells.space.support.twins(cells)
    return rows_of_twins(_space_scores(names, twins.space), twins)


def process_scores(cells: CellArray, tables: tuple[str, ...]) -> Array:
    """Return the part of :func:`transfer_scores` from shipped tables of these names, ``[N]``."""
    return cells.space.support.cache(ProcessScores).scores(cells, tables)


def proxy_scores(cells: CellArray) -> Array:
    """Return the part of :func:`transfer_scores` from untrained networks, ``[N]``.

    Raises:
        ModelError: If nothing is shipped of untrained networks of the space of the cells.
    """
    twins = cells.space.support.twins(cells)
    return rows_of_twins(_space_proxy_scores(twins.space), twins)


def check_transferable(space: SearchSpace) -> None:
    """Check that a space has features in common with the shipped tables.

    Raises:
        ModelError: If not.
    """
    if not space.support.common_operations:
        known = [other.name for other in package_spaces() if other.support.common_operations]
        raise ModelError(
            f"the recipe transfer needs cells whose operations are those of a shipped table, such "
            f"as those of {', '.join(known)}, got the space {space.name!r}"
        )


class ProcessScores:
    """Scores by shipped tables of the cells of one space that were scored last."""

    def __init__(self) -> None:
        self._known: BoundedCache[tuple[str, bytes], Array] = BoundedCache(4)

    def scores(self, cells: CellArray, tables: tuple[str, ...]) -> Array:
        """Return the scores ``[N]`` of cells by tables of these names."""
        return self._known.get_or(
            (common_digest(tables), cells.digest),
            lambda: common_scores(shipped_process(tables), cells),
        )


@lru_cache
def _space_scores(tables: tuple[str, ...], space: SearchSpace) -> Array:
    """Return the scores of all cells of a space, from the ranks of the process and five proxies."""
    process = common_scores(shipped_process(tables), space.support.cells())
    return _joined([process, *_proxies(space)])


@lru_cache
def _space_proxy_scores(space: SearchSpace) -> Array:
    return _joined(_proxies(space))


def _proxies(space: SearchSpace) -> list[NDArray[Any]]:
    """Return the five proxies of VKDNW of all cells of a space, ``[cells]`` each."""
    cells, network = space.support.cells(), space.support.official_network
    assert network is not None
    expressivity, _, trainability = propagation_numbers(cells).T
    information = weight_information_numbers(cells).T
    return [expressivity, trainability, *information, network.macs(cells)]


def _joined(proxies: Sequence[NDArray[Any]]) -> Array:
    """Return normal scores of the product of ranks, as VKDNW joins them (arXiv:2502.04975).

    A cell is good if none of the proxies ranks it low.
    """
    from scipy.special import ndtri

    sums = np.log(ranks(np.stack(proxies, axis=1))).sum(axis=1)
    return np.asarray(ndtri((ranks(sums) - 0.5) / len(sums)))
