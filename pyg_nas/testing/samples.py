"""Small synthetic inputs with structure, the same in every process."""

from __future__ import annotations

import numpy as np

from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import default_space
from pyg_nas.spaces.measurements import RUN_SHAPE, TIME


def small_cells(per_size: int = 20, seed: int = 3) -> CellArray:
    """Return cells of the default space of every size, the smallest first.

    Args:
        per_size: Cells of each number of vertices, or all of them where there are fewer.
        seed: Random seed of the choice.
    """
    cells = default_space().support.cells()
    rng = np.random.default_rng(seed)
    rows = [
        rng.permutation(np.flatnonzero(cells.num_vertices == size))[:per_size]
        for size in np.unique(cells.num_vertices)
    ]
    return cells[np.concatenate(rows)]


def small_table(num_cells: int = 300, seed: int = 7) -> Table:
    """Return a table of random cells of the default space at its official budgets.

    Accuracies grow with the logarithm of the parameters and have a noise of half a point. Run 2
    is not measured; nothing else is missing.

    Args:
        num_cells: Cells of the table.
        seed: Random seed of cells and noise.
    """
    rng = np.random.default_rng(seed)
    support = default_space().support
    whole = support.cells()
    cells = whole[rng.permutation(len(whole))[:num_cells]]
    size = np.log10(cells.trainable_parameters())
    metrics = np.empty((num_cells, len(support.budgets), 3, *RUN_SHAPE), dtype=np.float32)
    truth = 0.75 + 0.03 * (size - 5.5)[:, None, None, None, None]
    metrics[:] = np.clip(truth + rng.normal(0, 0.005, metrics.shape), 0.0, 1.0)
    metrics[..., TIME] = 100.0 * rng.uniform(1, 2, metrics.shape[:-1])
    metrics[:, :, 2] = np.nan
    return Table(cells, metrics)
