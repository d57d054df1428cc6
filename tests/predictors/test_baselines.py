"""The baselines learn what a graph determines."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.baselines import ParameterCountRegressor, boosted_trees, random_forest

CELLS = sample_cells(400, seed=0)


SIZE = np.log(CELLS.trainable_parameters())


Y = 0.9 + 0.02 * (SIZE - SIZE.mean()) + np.random.default_rng(0).normal(0, 0.004, 400)


@pytest.mark.parametrize("make", [ParameterCountRegressor, random_forest, boosted_trees])
def test_baselines_learn(make: object) -> None:
    fitted = make().fit(CELLS[:150], Y[:150])  # type: ignore[operator]
    assert np.corrcoef(fitted.predict(CELLS[150:]), Y[150:])[0, 1] > 0.8
