"""The schedule of refits."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.predictors.refit_schedule import cells_of_last_fit


@pytest.mark.parametrize("first", [4, 16, 172])
def test_numbers_of_cells_grow_by_a_quarter(first: int) -> None:
    fits = sorted({cells_of_last_fit(first, total) for total in range(first, 1000)})
    by_hand = np.ceil(first * 1.25 ** np.arange(40)).astype(int)
    assert fits == sorted(set(by_hand[by_hand < 1000].tolist()))
    for total in range(first, 1000):
        assert (
            cells_of_last_fit(first, total) <= total < 1.25 * (cells_of_last_fit(first, total) + 1)
        )


def test_before_the_schedule_all_cells_are_fitted_to() -> None:
    assert [cells_of_last_fit(16, total) for total in (3, 15, 16, 19, 20)] == [3, 15, 16, 16, 20]
