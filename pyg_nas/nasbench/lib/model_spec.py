"""Cells in the official package's form, by the names of ``nasbench.lib.model_spec``."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import CellError, PygNasError, SettingsError
from pyg_nas.graphs.cell_rules import vertices_on_paths
from pyg_nas.nasbench.lib.graph_util import hash_module


class OutOfDomainError(PygNasError):
    """The requested graph or number of epochs is outside of the search domain."""


class ModelSpec:
    """A cell given by adjacency and labels, without vertices on no path from input to output.

    Args:
        matrix: Upper triangular ``[V, V]``.
        ops: ``V`` names, ``input`` first and ``output`` last.
        data_format: ``channels_last`` or ``channels_first``; stored, not used.

    Attributes:
        matrix: Pruned adjacency, None if the input does not reach the output.
        ops: Names of the remaining vertices, None if the input does not reach the output.
        original_matrix: The given adjacency.
        original_ops: The given names.
        valid_spec: Whether the input reaches the output.

    Raises:
        ValueError: If the matrix is not square or not upper triangular, or ``ops`` has another
            length.
    """

    def __init__(
        self, matrix: ArrayLike, ops: Sequence[str], data_format: str = "channels_last"
    ) -> None:
        given = np.array(matrix)
        if given.dtype.kind not in "biuf":
            raise CellError(f"matrix must contain numbers, got {given.dtype}")
        if given.ndim != 2 or given.shape[0] != given.shape[1]:
            raise CellError(f"matrix must be square, got shape {given.shape}")
        if len(given) != len(ops):
            raise CellError(
                f"length of ops must match matrix dimensions, got {len(ops)} for {len(given)}"
            )
        if not len(given):
            raise CellError("matrix must have at least one vertex")
        if not is_upper_triangular(given):
            raise CellError("matrix must be upper triangular")
        self.original_matrix: NDArray[Any] = given
        self.original_ops: list[str] = copy.deepcopy(list(ops))
        self.matrix: NDArray[Any] | None = None
        self.ops: list[str] | None = None
        self.data_format = data_format
        try:
            edges = np.array(np.nonzero(given))
            kept = np.flatnonzero(vertices_on_paths(edges, len(given)))
        except CellError:
            self.valid_spec = False
        else:
            # A single vertex reaches itself but is not a path; the official rule requires two.
            self.valid_spec = len(kept) >= 2
        if self.valid_spec:
            self.matrix = given[np.ix_(kept, kept)].copy()
            self.ops = [self.original_ops[v] for v in kept.tolist()]

    def hash_spec(self, canonical_ops: Sequence[str]) -> str:
        """Return the module hash.

        Args:
            canonical_ops: Names in the order of their ids, ``config["available_ops"]``.

        Raises:
            OutOfDomainError: If the spec is not valid.
            ValueError: If an operation is not among ``canonical_ops``.
        """
        if self.matrix is None or self.ops is None:
            raise OutOfDomainError("invalid spec, provided graph is disconnected.")
        names = list(canonical_ops)
        ids = [-1, *(names.index(op) for op in self.ops[1:-1]), -2]
        return hash_module(self.matrix, ids)

    def visualize(self) -> Any:
        """Return a ``graphviz.Digraph`` of the cell (needs the ``graphviz`` package).

        Raises:
            OutOfDomainError: If the spec is not valid.
            SettingsError: If the package is not installed.
        """
        try:
            import graphviz
        except ModuleNotFoundError:
            raise SettingsError(
                "visualize needs the package graphviz: pip install graphviz; Cell.draw needs none"
            ) from None

        if self.matrix is None or self.ops is None:
            raise OutOfDomainError("invalid spec, provided graph is disconnected.")
        drawing = graphviz.Digraph()
        for vertex, name in enumerate(["input", *self.ops[1:-1], "output"]):
            drawing.node(str(vertex), name)
        for source, target in np.argwhere(self.matrix).tolist():
            drawing.edge(str(source), str(target))
        return drawing


def is_upper_triangular(matrix: ArrayLike) -> bool:
    """Return whether a square matrix is zero on and below its diagonal."""
    return not np.tril(np.asarray(matrix)).any()
