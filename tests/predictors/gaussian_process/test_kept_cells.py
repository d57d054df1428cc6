"""Cells that are kept between the rounds of a search."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from pyg_nas.compute.jit import ENGINE_VARIABLE
from pyg_nas.features.graph_features import CellFeatures, cell_features
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.gaussian_process.kept_cells import (
    MOST_BYTES,
    KeptBlock,
    KeptCells,
    KeptMemory,
    WhitenedCells,
    fits_memory,
)
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess

CELLS = sample_cells(200, seed=0)
Y = np.log(CELLS.trainable_parameters())


def whitened(process: GaussianProcess, features: CellFeatures, count: int) -> WhitenedCells:
    total, inputs = len(features.vertex), process.inputs_.shape[1]
    memory = KeptMemory(total, count, inputs, len(process.dual_) - count + 10)
    return memory.filled(slice(0, total), process.whitened(features, count))


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
    added = process.added_cells(count)
    found = process.predict_whitened(kept, added)
    np.testing.assert_allclose(found, [mean, std], rtol=0, atol=2e-6)
    mean_alone, none = process.predict_whitened(kept, added, with_std=False)
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
    expected = first.predict_whitened(kept, first.added_cells(50))
    compute = GaussianProcess._whitened_means

    def interrupted(*given: Any) -> None:
        compute(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(GaussianProcess, "_whitened_means", interrupted)
    with pytest.raises(KeyboardInterrupt):
        other.predict_whitened(kept, other.added_cells(50))
    monkeypatch.undo()
    found = first.predict_whitened(kept, first.added_cells(50))
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
        added = process.added_cells(50)
        found = process.predict_whitened(kept, added)
        fresh = process.predict_whitened(whitened(process, features, 50), added)
        if engine == "auto":
            np.testing.assert_array_equal(found, fresh)
        np.testing.assert_allclose(found, fresh, rtol=0, atol=1e-6)
        np.testing.assert_allclose(found, process.predict_features(features), rtol=0, atol=2e-6)
        assert kept.num_known(added.inputs) == len(rows)


def test_the_last_cells_are_kept() -> None:
    kept, made, used = KeptCells(), [], []
    process = GaussianProcess(steps=20).fit(CELLS[:20], Y[:20])
    block = KeptBlock(slice(0, 3), whitened(process, cell_features(CELLS[:3]), 20), (None, None))

    def make() -> list[KeptBlock]:
        made.append(1)
        return [block]

    kept.map_blocks(CELLS[:9], make, used.append)
    kept.map_blocks(CELLS[:9], make, used.append)
    assert len(made) == 1
    kept.map_blocks(CELLS[:8], make, used.append)
    kept.map_blocks(CELLS[:9], make, used.append)
    assert len(made) == 3
    assert used == [block] * 4

    def fail(block: KeptBlock) -> None:
        raise ValueError("of a block")

    with pytest.raises(ValueError, match="of a block"):
        kept.map_blocks(CELLS[:9], make, fail)


def test_the_whole_of_nasbench101_is_kept_for_four_hundred_training_cells() -> None:
    assert fits_memory(423_624, 400, 216)
    assert not fits_memory(423_624, 420, 216)
    assert fits_memory(MOST_BYTES // 8, 1, 1)
    assert not fits_memory(MOST_BYTES // 8, 1, 2)
