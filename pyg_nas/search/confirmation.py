"""The best cells of a search, trained again with random seeds that it has not used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray


@dataclass(frozen=True)
class Confirmation:
    """Accuracies of the best cells with random seeds that the search has not used.

    Args:
        cells: ``N`` cells, the best of the search first.
        parameters: Trainable parameters of their networks, ``[N]``.
        accuracies: Validation accuracy of each run, ``[N, S]``.
        test_accuracies: Test accuracy of each run, ``[N, S]``, by which nothing is chosen.
    """

    cells: CellArray
    parameters: NDArray[np.int64]
    accuracies: NDArray[np.float64]
    test_accuracies: NDArray[np.float64]

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean validation accuracy of each cell, ``[N]``."""
        return np.asarray(self.accuracies.mean(axis=1))

    @property
    def standard_error(self) -> float:
        """Standard error of the best mean."""
        runs = self.accuracies[self.means.argmax()]
        return float(runs.std(ddof=1) / np.sqrt(len(runs)))

    @property
    def chosen(self) -> int:
        """The smallest cell whose mean is within one standard error of the best mean."""
        means = self.means
        near = np.flatnonzero(means >= means.max() - self.standard_error)
        return int(near[np.lexsort((-means[near], self.parameters[near]))[0]])

    @property
    def chosen_cell(self) -> Cell:
        """The cell itself."""
        return self.cells[self.chosen]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description of the cells and their accuracies."""
        figures = zip(
            self.cells,
            self.parameters.tolist(),
            self.accuracies.tolist(),
            self.test_accuracies.tolist(),
            self.means.tolist(),
            strict=True,
        )
        return {
            "cells": [
                {
                    "hash": cell.hash,
                    "parameters": size,
                    "accuracies": runs,
                    "test_accuracies": tests,
                    "mean": mean,
                }
                for cell, size, runs, tests, mean in figures
            ],
            "standard_error": self.standard_error,
            "chosen": self.chosen_cell.hash,
        }
