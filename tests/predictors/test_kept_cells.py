"""Cells that are kept between the rounds of a search."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.features.graph_features import cell_features
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.gaussian_process import GaussianProcess
from pyg_nas.predictors.kept_cells import (
    MOST_BYTES,
    KeptBlock,
    KeptCells,
    fits_memory,
    map_kept_blocks,
)

CELLS = sample_cells(200, seed=0)
Y = np.log(CELLS.trainable_parameters())


@pytest.mark.parametrize("count", [1, 50, 60])
def test_whitened_cells_have_the_predictions_of_their_features(count: int) -> None:
    process = GaussianProcess(steps=20).fit(CELLS[:50], Y[:50]).update(CELLS[50:60], Y[50:60])
    features = cell_features(CELLS[60:])
    kept = process.whitened(features, count)
    assert kept.rows.shape == (count, 140)
    mean, std = process.predict_features(features)
    found = process.predict_whitened(kept)
    np.testing.assert_allclose(found, [mean, std], rtol=0, atol=2e-6)
    mean_alone, none = process.predict_whitened(kept, with_std=False)
    np.testing.assert_array_equal(mean_alone, found[0])
    assert not none.any()


def test_the_last_cells_are_kept() -> None:
    kept, made = KeptCells(), []

    def make() -> list[KeptBlock]:
        made.append(1)
        return []

    kept.blocks(CELLS[:9], make)
    kept.blocks(CELLS[:9], make)
    assert len(made) == 1
    kept.blocks(CELLS[:8], make)
    kept.blocks(CELLS[:9], make)
    assert len(made) == 3


def test_the_whole_of_nasbench101_is_kept_for_four_hundred_training_cells() -> None:
    assert fits_memory(423_624, 400, 216)
    assert not fits_memory(423_624, 420, 216)
    assert fits_memory(MOST_BYTES // 8, 1, 1)
    assert not fits_memory(MOST_BYTES // 8, 1, 2)


def test_an_error_in_a_thread_is_raised() -> None:
    process = GaussianProcess(steps=20).fit(CELLS[:20], Y[:20])
    block = KeptBlock(slice(0, 3), process.whitened(cell_features(CELLS[:3]), 20), (None, None))

    def fail(block: KeptBlock) -> None:
        raise ValueError("of a block")

    with pytest.raises(ValueError, match="of a block"):
        map_kept_blocks([block], fail)
