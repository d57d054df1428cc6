"""Features of NAS-Bench-101 cells alone, computed from the channels of their networks.

The output concatenates its predecessors among the inner vertices, so that channels, and with them
parameters, random walks weighted by channels, and the scale of untrained values, can be computed
from the graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.space_support import ExtraFeatures
from pyg_nas.spaces.nasbench101.network_size import (
    OFFICIAL_SIZE,
    channel_shares,
    parameters_of_channels,
)
from pyg_nas.spaces.nasbench101.space import CONVOLUTIONS, MAX_POOLING

Array = NDArray[np.float32]

# Mean and variance of values after batch normalisation and ReLU, and of the largest of nine
# independent standard normal numbers, a model of max pooling.
_RECTIFIED = np.float32(1 / np.sqrt(2 * np.pi)), np.float32(1 / 2 - 1 / (2 * np.pi))
_LARGEST_OF_NINE = np.float32(1.48501), np.float32(0.35735)


def extra_features(cells: CellArray, adjacency: Array) -> ExtraFeatures:
    """Return channels, parameters and scale of each vertex and cell, and the walk by channels.

    Args:
        cells: ``N`` cells of NAS-Bench-101.
        adjacency: Their adjacency, float32 ``[V, V, N]``, vertices first.
    """
    return _Network(cells, adjacency).features()


def work_features(cells: CellArray) -> list[NDArray[np.float64]]:
    """Return sums of channels and squared channels by operation, and channels of projections."""
    channels = channel_shares(cells)
    columns = []
    for operation in range(len(cells.space.operations)):
        kind = (cells.operations == operation) & cells.mask
        columns += [(kind * channels).sum(axis=1), (kind * channels**2).sum(axis=1)]
    return [*columns, (cells.adjacency[:, 0] * channels).sum(axis=1)]


class _Network:
    """A block of ``B`` cells as arrays with vertices first, ``[V, B]``."""

    def __init__(self, cells: CellArray, adjacency: Array) -> None:
        self.cells = cells
        self.adjacency = adjacency
        self.mask = cells.mask.T
        self.sinks = self.mask & ~adjacency.any(axis=1)
        self.into_sinks = (adjacency * self.sinks).sum(axis=1)
        ids = np.where(self.mask, cells.operations.T, -3)
        self.kinds = [(ids == i).astype(np.float32) for i in range(len(cells.space.operations))]
        # Not rounded: rounded channels depend on the numbering of the vertices.
        shares = channel_shares(cells)
        parameters = parameters_of_channels(cells, shares * OFFICIAL_SIZE.stem_channels)
        # Sums are of double precision, see graph_block.
        self.shares, self.parameters = shares.T, parameters.T
        self.channels = np.ascontiguousarray(shares.T, np.float32)

    def features(self) -> ExtraFeatures:
        channels, parameters = self.channels, self.parameters
        scale = self._log_scale()
        before_output = channels * self.into_sinks
        before_output[0] = 0
        graph = {
            "log parameters": np.log1p(parameters.sum(axis=0)),
            "log parameters of 3x3": np.log1p((parameters * self.kinds[0]).sum(axis=0)),
            "channels before the output": before_output.max(axis=0),
        }
        for name, kind in zip(self.cells.space.operations, self.kinds, strict=True):
            graph[f"channels of {name}"] = (self.shares * kind).sum(axis=0)
        graph["log scale of the output"] = (scale * self.sinks).sum(axis=0)
        each = np.log1p(np.ascontiguousarray(parameters, np.float32))
        vertex = {"channels": channels, "log parameters": each, "log scale": scale}
        return ExtraFeatures(graph, vertex, channels, self._walk())

    def _log_scale(self) -> Array:
        """Logarithm of the mean square of each vertex's values before any training, ``[V, B]``.

        A mean-field model: means and variances of sums are added as if their terms were
        independent. Projections of the input have the scale of the input, and the output
        concatenates channels by their share.
        """
        mean, variance = np.zeros(self.channels.shape), np.zeros(self.channels.shape)
        mean[0], variance[0] = _RECTIFIED
        convolutions: Any = sum(self.kinds[i] for i in CONVOLUTIONS)
        for v in range(1, len(mean)):
            into = self.adjacency[:v, v]
            pooled, convolved = self.kinds[MAX_POOLING][v], convolutions[v]
            total = (into * variance[:v]).sum(axis=0)
            largest = (into * mean[:v]).sum(axis=0) + np.sqrt(total) * _LARGEST_OF_NINE[0]
            mean[v] = pooled * largest + convolved * _RECTIFIED[0]
            variance[v] = pooled * total * _LARGEST_OF_NINE[1] + convolved * _RECTIFIED[1]
        share = self._shares_of_output()
        inner = share.any(axis=0)
        # The projected input alone, or added to every channel if an edge connects input and output.
        share[0] = ~inner
        skip = self.into_sinks[0] * inner
        squares = (mean + skip * _RECTIFIED[0]) ** 2 + variance + skip * _RECTIFIED[1]
        scale = np.where(self.sinks, (share * squares).sum(axis=0), mean**2 + variance)
        return np.asarray(np.log(np.where(self.mask, scale, 1)), dtype=np.float32)

    def _shares_of_output(self) -> NDArray[np.float64]:
        """Share of each inner vertex in the channels that the output concatenates, ``[V, B]``."""
        inner = self.into_sinks * self.shares
        inner[0] = 0
        return np.asarray(inner / np.maximum(inner.sum(axis=0), 1e-9))

    def _walk(self) -> Array:
        """Probabilities of walks from the output: by share of channels, half for a skip."""
        weight = self.adjacency / np.maximum(self.adjacency.sum(axis=0), 1)
        skip, share = self.into_sinks[0] > 0, self._shares_of_output()
        inner = share.any(axis=0)
        share *= np.where(skip, np.float32(0.5), np.float32(1))
        share[0] = np.where(skip, np.where(inner, 0.5, 1), 0)
        return np.asarray(np.where(self.sinks, share[:, None], weight), dtype=np.float32)
