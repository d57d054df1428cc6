"""Which cell a confirmation chooses."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.search.confirmation import Confirmation


@pytest.mark.parametrize(
    ("accuracies", "parameters", "chosen"),
    [
        # Standard errors of the best: 0.02, so that 0.885 is near and 0.85 is not.
        ([[0.92, 0.88], [0.885, 0.885], [0.85, 0.85]], [300, 200, 100], 1),
        ([[0.9, 0.9], [0.899, 0.899]], [300, 200], 0),
        ([[0.7, 0.9], [0.9, 0.9]], [100, 200], 1),
        ([[0.92, 0.88], [0.89, 0.89], [0.895, 0.895]], [300, 200, 200], 2),
    ],
)
def test_the_smallest_within_one_standard_error_of_the_best_is_chosen(
    accuracies: list[list[float]], parameters: list[int], chosen: int
) -> None:
    cells = sample_cells(len(parameters), seed=0)
    confirmation = Confirmation(cells, np.array(parameters), *[np.array(accuracies)] * 2)
    assert confirmation.chosen == chosen
