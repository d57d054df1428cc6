"""The baselines learn what a graph determines."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.errors import ModelError
from pyg_nas.graphs.enumeration import enumerate_cells, sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.baselines import ParameterCountRegressor, boosted_trees, random_forest
from pyg_nas.predictors.forest import FeatureForest

CELLS = sample_cells(400, seed=0)


SIZE = np.log(CELLS.trainable_parameters())


Y = 0.9 + 0.02 * (SIZE - SIZE.mean()) + np.random.default_rng(0).normal(0, 0.004, 400)


MAKERS = [ParameterCountRegressor, random_forest, boosted_trees, FeatureForest]


@pytest.mark.parametrize("make", MAKERS)
def test_baselines_learn(make: object) -> None:
    fitted = make().fit(CELLS[:150], Y[:150])  # type: ignore[operator]
    assert np.corrcoef(fitted.predict(CELLS[150:]), Y[150:])[0, 1] > 0.8
    assert fitted.predict(CELLS[:0]).shape == (0,)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(("offset", "factor"), [(0.0, 1e-9), (0.9, 1e-9), (1e8, 1.0)])
def test_labels_that_are_nearly_equal_are_learned(
    make: object, offset: float, factor: float
) -> None:
    usual = make().fit(CELLS[:150], Y[:150]).predict(CELLS[150:])  # type: ignore[operator]
    fitted = make().fit(CELLS[:150], offset + factor * Y[:150])  # type: ignore[operator]
    found = (fitted.predict(CELLS[150:]) - offset) / factor
    assert np.corrcoef(found, usual)[0, 1] > 0.98
    assert np.std(found) == pytest.approx(np.std(usual), rel=0.1)


def test_cells_of_other_operations_are_refused() -> None:
    one, other = (
        enumerate_cells(SearchSpace(name, operations, 5, 7, ("output", "input")))
        for name, operations in (("one", ("a", "b")), ("other", ("c", "d")))
    )
    fitted = boosted_trees().fit(one[:30], np.arange(30.0))
    with pytest.raises(ModelError, match=r"the model was fitted to the operations .* of 'one'"):
        fitted.predict(other[:3])
