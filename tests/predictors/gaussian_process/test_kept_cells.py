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
    kept_rows,
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


@pytest.mark.parametrize(
    ("cells", "size"), [(5_000, 4_096), (65_536, 4_096), (160_000, 10_000), (423_624, 16_384)]
)
def test_blocks_of_many_cells_are_large_and_cover_all(cells: int, size: int) -> None:
    blocks = kept_rows(cells)
    np.testing.assert_array_equal(
        np.concatenate([np.arange(cells)[rows] for rows in blocks]), np.arange(cells)
    )
    assert {rows.stop - rows.start for rows in blocks[:-1]} == {size}
