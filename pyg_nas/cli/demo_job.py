"""The main job on the shipped table: train, evaluate, score the space, train the best cells."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.trained import TrainedPredictor

TRAINING_CELLS = 172


@dataclass(frozen=True)
class BestCells:
    """The best predicted cells of the space that the table has not measured.

    Args:
        cells: The cells, best first.
        digests: Their module hashes.
        scores: Their predictions, fractions.
        scored: Cells scored to find them.
    """

    cells: CellArray = field(repr=False)
    digests: list[str] = field(repr=False)
    scores: NDArray[np.float64]
    scored: int


def best_unseen_cells(model: TrainedPredictor, table: Table, count: int) -> BestCells:
    """Score the table's whole space and return the best cells that ``table`` does not have."""
    cells = table.space.support.cells()
    scores = model.estimator.predict(cells)
    order = np.argsort(-scores, kind="stable")
    # Even if the table held the very best cells, `count` others are among these; hashing only
    # them is much faster than hashing the space.
    leading = order[: count + len(table)]
    hashes = cells[leading].hashes()
    unseen = np.flatnonzero(~np.isin(hashes, table.hashes))[:count]
    best = leading[unseen]
    digests = [digest.decode() for digest in hashes[unseen].tolist()]
    return BestCells(cells[best], digests, scores[best], len(cells))


def train_live(best: BestCells, count: int, table: Table) -> Table:
    """Train the first ``count`` cells as the shipped table's were, at its largest budget."""
    from pyg_nas.measure import measure_cells
    from pyg_nas.measure.tasks.digits import digits_task

    budget = table.budgets[-1]
    return measure_cells(best.cells[:count], digits_task(), [budget], table.num_runs)
