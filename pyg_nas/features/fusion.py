"""Bytes that networks move where a compiler joins operations into one kernel (operator fusion)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import ATTRIBUTES
from pyg_nas.spaces.modules.space import NETWORKS
from pyg_nas.spaces.modules.vocabulary import FAMILIES, group_of_column

Floats = NDArray[np.float64]

_UNFUSED = f"{FAMILIES['convolution']} {FAMILIES['linear']} matmul attention max_pool avg_pool"
_IS_UNFUSED = group_of_column({"other": "", "unfused": _UNFUSED}, rest="other") == 1


def fused_bytes(networks: NetworkArray) -> tuple[Floats, Floats]:
    """Return the bytes that every vertex reads and writes after fusion, ``[V]`` each.

    Products, convolutions and the pooling of windows are kernels of their own. The result of any
    other operation stays in registers if exactly one operation reads it and that one is no such
    kernel: it is neither written nor read. What reads a view reads the source of the view.
    """
    values = {
        name: networks.attributes[:, ATTRIBUTES.index(name)].astype(np.float64)
        for name in ("log bytes read", "log bytes written", "log size of the result")
    }
    read, written, size = (np.expm1(column) for column in values.values())
    result = size * networks.attributes[:, ATTRIBUTES.index("bytes of a number")]
    source, target = networks.joined_edges
    total = len(written)
    is_terminal = networks.columns < len(NETWORKS.terminals)
    # The order of several sources (``expand_as``) is not known: such a view is not looked through.
    has_one_source = np.bincount(target, minlength=total) == 1
    is_view = (written <= 0) & ~is_terminal & has_one_source
    unfused = _IS_UNFUSED[networks.columns] | ((written <= 0) & ~is_view)
    origin = _origins(is_view, source, target)
    reads = ~is_view[target]
    source, target = source[reads], target[reads]
    readers = np.bincount(origin[source], minlength=total)
    into_unfused = np.bincount(origin[source], unfused[target], minlength=total) > 0
    stays = ~unfused & ~into_unfused & (readers == 1)
    saved = np.bincount(target, np.where(stays[origin[source]], result[source], 0.0), total)
    left = np.where(written > 0, np.maximum(read - saved, 0.0), 0.0)
    return left, np.where(stays, 0.0, written)


def _origins(
    is_view: NDArray[np.bool_], source: NDArray[np.int64], target: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the vertex whose result a vertex has: its own, or that of which it is a view."""
    origin = np.arange(len(is_view))
    viewed = is_view[target]
    origin[target[viewed]] = source[viewed]
    while (origin != origin[origin]).any():  # a view of a view
        origin = origin[origin]
    return origin
