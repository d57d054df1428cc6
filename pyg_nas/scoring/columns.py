"""Columns that describe scored architectures: text form, operations, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.ragged import pointers
from pyg_nas.scoring.blocks import Architectures, Graphs
from pyg_nas.spaces.modules.vocabulary import TERMINALS


def architecture_columns(
    architectures: Architectures,
    rows: NDArray[np.int64],
    network: NetworkSize | None = None,
    build: bool = False,
) -> dict[str, NDArray[Any]]:
    """Return the columns that are known for some architectures.

    Args:
        architectures: The architectures.
        rows: Those that are described, ``[n]``.
        network: Size of the networks that are trained; None if it is not known.
        build: Also build networks, one by one, if their parameters cannot be computed otherwise.

    Returns:
        ``arch``, UTF-8 bytes ``[n]``, where they have a text form; ``operations``, how many
        operations each has; and ``parameters`` of the networks that are trained, where known.
    """
    graphs = architectures.graphs_of(rows)
    columns: dict[str, NDArray[Any]] = {}
    texts = [architectures.texts[row] for row in rows.tolist()] if architectures.texts else []
    if architectures.texts:
        columns["arch"] = np.array([text.encode() for text in texts], dtype=np.bytes_)
    elif isinstance(graphs, CellArray) and graphs.space.support.has_text_form:
        columns["arch"] = graphs.space.support.to_texts(graphs)
    columns["operations"] = _operations(graphs)
    if architectures.parameters is not None:
        columns["parameters"] = architectures.parameters[rows].astype(np.int64)
    elif (counts := _parameters(graphs, texts, network, build)) is not None:
        columns["parameters"] = counts
    return columns


def _operations(graphs: Graphs) -> NDArray[np.int64]:
    """Number of vertices with an operation, ``[n]``, without the input and the output."""
    if isinstance(graphs, CellArray):
        terminals = 2 if graphs.space.terminals else 0
        return graphs.num_vertices.astype(np.int64) - terminals
    inner = graphs.columns >= len(TERMINALS)
    return np.diff(pointers(inner)[graphs.vertex_ptr])


def _parameters(
    graphs: Graphs, texts: Sequence[str], size: NetworkSize | None, build: bool
) -> NDArray[np.int64] | None:
    """Parameters at a size ``[n]``, at the official one those of the drawings."""
    if not isinstance(graphs, CellArray):
        return graphs.parameters
    support = graphs.space.support
    # Parameters of a benchmark's networks have a formula, others are counted in the network.
    has_formula = support.official_network is not None
    if size is None or support.network is None or not (has_formula or build):
        return None
    return support.parameters(graphs, size, texts)
