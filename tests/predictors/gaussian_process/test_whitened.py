"""Cells that a process has seen before, against the predictions of their features."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from pyg_nas.compute.jit import ENGINE_VARIABLE
from pyg_nas.features.graph_features import CellFeatures, cell_features
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.gaussian_process import whitened as module
from pyg_nas.predictors.gaussian_process.kept_cells import KeptMemory
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess
from pyg_nas.predictors.gaussian_process.whitened import (
    WhitenedCells,
    added_cells,
    predict_whitened,
    whitened_cells,
)

CELLS = sample_cells(200, seed=0)
Y = np.log(CELLS.trainable_parameters())


def whitened(process: GaussianProcess, features: CellFeatures, count: int) -> WhitenedCells:
    total, inputs = len(features.vertex), process.inputs_.shape[1]
    memory = KeptMemory(total, count, inputs, len(process.dual_) - count + 10)
    memory.fill(slice(0, total), whitened_cells(process, features, count))
    return memory.block(slice(0, total))


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("count", [1, 50, 60])
def test_whitened_cells_have_the_predictions_of_their_features(
    count: int, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, engine)
    process = GaussianProcess(steps=20).fit(CELLS[:50], Y[:50]).update(CELLS[50:60], Y[50:60])
    features = cell_features(CELLS[60:])
    kept = whitened(process, features, count)
    mean, std = process.predict_features(features)
    added = added_cells(process, count)
    found = predict_whitened(process, kept, added)
    np.testing.assert_allclose(found, [mean, std], rtol=0, atol=2e-6)
    mean_alone, none = predict_whitened(process, kept, added, with_std=False)
    np.testing.assert_array_equal(mean_alone, found[0])
    assert not none.any()


def test_an_interrupted_prediction_leaves_no_covariances_of_other_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted = GaussianProcess(steps=20).fit(CELLS[:50], Y[:50])
    features = cell_features(CELLS[60:])
    first, other = (
        deepcopy(fitted).update(CELLS[rows], Y[rows]) for rows in (slice(50, 53), slice(53, 56))
    )
    kept = whitened(first, features, 50)
    expected = predict_whitened(first, kept, added_cells(first, 50))
    compute = module._sums

    def interrupted(*given: Any) -> None:
        compute(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_sums", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict_whitened(other, kept, added_cells(other, 50))
    monkeypatch.undo()
    found = predict_whitened(first, kept, added_cells(first, 50))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_covariances_that_are_known_change_no_prediction(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, engine)
    fitted = GaussianProcess(steps=20).fit(CELLS[:50], Y[:50])
    features = cell_features(CELLS[60:])
    kept = whitened(deepcopy(fitted).update(CELLS[50:51], Y[50:51]), features, 50)
    # More cells, then others in the place of the last: of these nothing is known.
    for rows in (range(50, 53), range(50, 59), [*range(50, 55), 59, 55]):
        process = deepcopy(fitted).update(CELLS[list(rows)], Y[list(rows)])
        added = added_cells(process, 50)
        found = predict_whitened(process, kept, added)
        fresh = predict_whitened(process, whitened(process, features, 50), added)
        if engine == "auto":
            np.testing.assert_array_equal(found, fresh)
        np.testing.assert_allclose(found, fresh, rtol=0, atol=1e-6)
        np.testing.assert_allclose(found, process.predict_features(features), rtol=0, atol=2e-6)
        assert kept.num_known(added.inputs) == len(rows)
