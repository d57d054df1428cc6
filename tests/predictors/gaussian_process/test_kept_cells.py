"""Cells that are kept between the rounds of a search."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.features.graph_features import cell_features
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.gaussian_process.kept_cells import (
    MOST_BYTES,
    KeptBlock,
    KeptCells,
    fits_memory,
)
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess
from pyg_nas.predictors.gaussian_process.whitened import whitened_cells

CELLS = sample_cells(200, seed=0)
Y = np.log(CELLS.trainable_parameters())


def test_the_last_cells_are_kept() -> None:
    kept, made, used = KeptCells(), [], []
    process = GaussianProcess(steps=20).fit(CELLS[:20], Y[:20])
    block = KeptBlock(
        slice(0, 3), whitened_cells(process, cell_features(CELLS[:3]), 20), (None, None)
    )

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
