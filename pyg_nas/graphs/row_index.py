"""Graphs as rows: what scikit-learn asks of them, and indices as it and NumPy write them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound="GraphTable")


class Samples(ABC):
    """Graphs as scikit-learn's samples, each with one feature: the graph itself."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, rows: Any) -> Any: ...

    @property
    def shape(self) -> tuple[int, int]:
        """``(N, 1)``: for scikit-learn a graph is one sample with one feature."""
        return len(self), 1

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.object_]:
        """Return the graphs as objects ``[N, 1]``.

        For scikit-learn's ensembles and importances, which convert their input to a matrix.
        """
        if dtype is not None and np.dtype(dtype) != object:
            raise TypeError(f"graphs are objects and cannot be made an array of {np.dtype(dtype)}")
        graphs = np.empty((len(self), 1), dtype=object)
        for row in range(len(self)):  # one by one: NumPy would join a list of arrays
            graphs[row, 0] = self[row]
        return graphs


class GraphTable(Samples):
    """Graphs with numbers, whose rows are selected together.

    Attributes:
        cells: The graphs.
    """

    cells: Samples

    @abstractmethod
    def subset(self: T, rows: Any) -> T:
        """Return the table of some rows (indices, a slice or a mask), in the order given."""

    def __len__(self) -> int:
        return len(self.cells)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.object_]:
        """Return the graphs as objects ``[N, 1]``, as :attr:`cells` does."""
        return self.cells.__array__(dtype)

    def __getitem__(self: T, rows: Any) -> T:
        """Return :meth:`subset` of ``rows``, so that scikit-learn can select folds of a table.

        Raises:
            TypeError: If ``rows`` is a single number: ``table.cells[i]`` is a graph.
        """
        if isinstance(rows, (int, np.integer)):
            raise TypeError(f"a table is indexed by rows, [{rows}] or a slice, got {rows!r}")
        return self.subset(without_ellipsis(rows))


def without_ellipsis(index: Any) -> Any:
    """Return ``rows`` of ``X[rows, ...]``, which scikit-learn writes for samples of a matrix."""
    is_of_matrix = isinstance(index, tuple) and len(index) == 2 and index[1] is ...
    return index[0] if is_of_matrix else index


def row_numbers(index: Any, count: int) -> NDArray[np.int64]:
    """Return the numbers ``[n]`` of some of ``count`` rows.

    Args:
        index: One number, several, a slice or a mask.
        count: Number of all rows.
    """
    if isinstance(index, list) and not index:
        index = np.array([], dtype=np.int64)  # NumPy makes floats of an empty list
    return np.atleast_1d(np.arange(count)[index])
