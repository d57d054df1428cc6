"""The operations of whole networks, each different one once, as inputs of a small network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order

from pyg_nas.features.fusion import fused_bytes
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import ATTRIBUTES
from pyg_nas.spaces.modules.space import NETWORKS
from pyg_nas.spaces.modules.vocabulary import FAMILIES

Floats = NDArray[np.float64]

_CONVOLUTIONS = [NETWORKS.vocabulary.index(name) for name in FAMILIES["convolution"].split()]
BYTES_OF_A_CALL = 1000.0
"""Bytes in whose time a device begins an operation, roughly."""

_MACS_IN_THE_TIME_OF_A_BYTE = 16.0


@dataclass(frozen=True)
class NetworkOperations:
    """The ``U`` different operations of ``N`` networks, and how often each network has them.

    Attributes:
        columns: One-hot column of each operation ``[U]``.
        inputs: Numbers about it ``[U, d]``.
        bytes: Bytes that it moves, and its multiply-accumulates in bytes of the same time ``[U]``.
        counts: How often a network has it ``[N, U]``.
        of_vertex: Operation of every vertex of all networks ``[V]``, -1 where nothing is computed.
    """

    columns: NDArray[np.uint8]
    inputs: Floats
    bytes: Floats
    counts: csr_array
    of_vertex: NDArray[np.int64]

    def take(self, rows: NDArray[np.bool_]) -> NetworkOperations:
        """Return the operations of chosen networks ``[N]``, without those that none of them has."""
        counts = self.counts[np.flatnonzero(rows)]
        used = np.unique(counts.indices)
        return replace(
            self,
            columns=self.columns[used],
            inputs=self.inputs[used],
            bytes=self.bytes[used],
            counts=counts[:, used],
        )


def network_operations(networks: NetworkArray, fused: bool = False) -> NetworkOperations:
    """Return the different operations of ``N`` networks.

    Views of data, inputs and outputs are no operations.

    Args:
        networks: The networks.
        fused: Whether a compiler joins operations (:mod:`pyg_nas.features.fusion`). Then ``bytes``
            are those that are left, and operations that differ in them are different.
    """
    written = networks.attributes[:, ATTRIBUTES.index("log bytes written")]
    works = np.flatnonzero((written > 0) & (networks.columns >= len(NETWORKS.terminals)))
    left = np.add(*fused_bytes(networks)) if fused else np.zeros(len(written))
    rows = np.column_stack(
        [networks.columns, _depends_on_input(networks), networks.attributes, left]
    ).astype(np.float32)[works]
    distinct, number = np.unique(rows, axis=0, return_inverse=True)
    of_vertex = np.full(len(networks.columns), -1)
    of_vertex[works] = number.ravel()
    counts = coo_array(
        (np.ones(len(works)), (networks.graph[works], number.ravel())),
        shape=(len(networks), len(distinct)),
    ).tocsr()
    columns, numbers = distinct[:, 0].astype(np.uint8), distinct[:, 1:].astype(np.float64)
    inputs, moved, macs = _numbers(columns, numbers[:, :-1])
    if fused:
        moved = numbers[:, -1]
    time = moved + macs / _MACS_IN_THE_TIME_OF_A_BYTE + BYTES_OF_A_CALL
    return NetworkOperations(columns, inputs, time, counts, of_vertex)


def grouped_convolutions(
    columns: NDArray[np.uint8], values: Mapping[str, Floats]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which of ``U`` operations are convolutions of groups, and which of these depthwise.

    Args:
        columns: One-hot column of each operation ``[U]``.
        values: Its attributes by name, ``[U]`` each.
    """
    groups, channels = np.exp(values["log groups"]), np.expm1(values["log channels"])
    grouped = np.isin(columns, _CONVOLUTIONS) & (groups > 1.5)
    # As many groups as channels; of fewer, each has two channels or more.
    return grouped, grouped & (groups > 0.75 * channels)


def _depends_on_input(networks: NetworkArray) -> NDArray[np.bool_]:
    """Return which vertices ``[V]`` depend on an input; others are computed once for a batch."""
    total = len(networks.columns)
    given = np.flatnonzero(networks.columns == NETWORKS.vocabulary.index("input"))
    source, target = networks.joined_edges
    source = np.concatenate([source, np.full(len(given), total)])
    target = np.concatenate([target, given])
    edges = csr_array((np.ones(len(source)), (source, target)), shape=(total + 1, total + 1))
    reached = np.zeros(total + 1, dtype=bool)
    reached[breadth_first_order(edges, total, return_predecessors=False)] = True
    return reached[:total]


def _numbers(columns: NDArray[np.uint8], rows: Floats) -> tuple[Floats, Floats, Floats]:
    """Return inputs ``[U, d]``, bytes ``[U]`` and multiply-accumulates ``[U]`` of operations.

    Args:
        columns: Their one-hot columns ``[U]``.
        rows: Whether they depend on the input, and their attributes ``[U, 13]``.
    """
    value = dict(zip(("depends on the input", *ATTRIBUTES), rows.T, strict=True))
    parameters, macs, read, written, size = (
        np.expm1(value[f"log {name}"])
        for name in (
            "parameters",
            "multiply-accumulates",
            "bytes read",
            "bytes written",
            "size of the result",
        )
    )
    weights = np.minimum(parameters * value["bytes of a number"], read)
    moved = read - weights + written
    terms = macs / np.maximum(size, 1)  # of each sum
    one_by_one = np.isin(columns, _CONVOLUTIONS) & (value["kernel"] == 1)
    grouped, depthwise = grouped_convolutions(columns, value)
    inputs = {
        "log multiply-accumulates": value["log multiply-accumulates"],
        "log bytes but for weights": np.log1p(read - weights),
        "log bytes of weights": np.log1p(weights),
        "log size of the result": value["log size of the result"],
        "log channels": value["log channels"],
        "log positions": value["log positions"],
        "kernel": value["kernel"],
        "stride": value["stride"],
        "log groups": value["log groups"],
        "log terms of a sum": np.log1p(terms),
        "log multiply-accumulates of a byte": np.log((macs + 1) / (moved + 1)),
        "depends on the input": value["depends on the input"],
        "pointwise": one_by_one,
        "depthwise": depthwise,
        "grouped": grouped & ~depthwise,
    }
    return np.column_stack(list(inputs.values())).astype(np.float64), moved, macs
