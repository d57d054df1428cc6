"""What the shipped digits table says of any NAS-Bench-101 cell: knowledge carried to new data.

Which cells learn digits well is measured for 1,438 of them. A Gaussian process carries it to every
cell, and a predictor for another task takes the result as further statistics of the graph: it
then starts from what is known of cells in general. Never to be used for labels that were measured
on the digits themselves, since the table may hold the answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.data.shipped import shipped_table, shipped_table_path
from pyg_nas.features.graph_statistics import STATISTICS_VERSION, CellFeatures, cell_features
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.array_cache import Arrays, read_cached, write_cached
from pyg_nas.metrics.intervals import label_scores
from pyg_nas.predictors.gaussian_process import GaussianProcess
from pyg_nas.spaces.measurements import METRICS

# Raised with whatever changes the prior, which is kept in the cache folder.
_VERSION = 2
_TUNING_CELLS = 700
_DUALS, _VALUES = "duals", "values"


@lru_cache(maxsize=1)
def prior_digest() -> str:
    """Return 16 hex digits that name the shipped table and this way of using it."""
    content = sha256(shipped_table_path().read_bytes())
    content.update(str(_VERSION).encode())
    return content.hexdigest()[:16]


def prior_columns(cells: CellArray, features: CellFeatures) -> NDArray[np.float32]:
    """Return what the prior says of NAS-Bench-101 cells, float32 ``[N, columns]``.

    One column for each budget, point (halfway, end) and accuracy (training, validation, test) of
    the shipped table: the posterior mean of the scores of its mean over runs.

    Args:
        cells: ``N`` cells.
        features: Theirs.
    """
    prior = digits_prior()
    return prior.process.posterior_means(features, prior.duals)


@dataclass(frozen=True)
class Prior:
    """A process that knows the shipped table, ready for any cells.

    Attributes:
        process: Tuned on the table's final validation accuracy.
        duals: float32 ``[measured cells, columns]``, the process' weights for each column.
    """

    process: GaussianProcess
    duals: Tensor


@lru_cache(maxsize=1)
def digits_prior() -> Prior:
    """Return the prior of the shipped table: fitted once, and then read from the cache folder."""
    name = f"digits-prior-{prior_digest()}-{STATISTICS_VERSION}"
    arrays = read_cached(name)
    if arrays is None:
        arrays = _fitted()
        write_cached(name, arrays)
    values = json.loads(arrays.pop(_VALUES).tobytes())
    tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
    duals = tensors.pop(_DUALS)
    process = GaussianProcess(tuning_cells=_TUNING_CELLS)
    process.set_state(tensors, values)
    return Prior(process, duals)


def _fitted() -> Arrays:
    """Fit the prior; return its process' state and its duals."""
    table = shipped_table()
    accuracies = table.metrics[..., 1:].mean(axis=2, dtype=np.float64)
    final_validation = np.ravel_multi_index(
        (len(table.budgets) - 1, 1, METRICS.index("validation_accuracy") - 1), accuracies.shape[1:]
    )
    columns = accuracies.reshape(len(table), -1)
    scores = label_scores(columns)
    process = GaussianProcess(tuning_cells=_TUNING_CELLS)
    process.space_ = table.space
    process.fit_features(cell_features(table.cells), scores[:, final_validation])
    duals = torch.cholesky_solve(torch.from_numpy(scores), process.factor_)
    tensors, values = process.get_state()
    arrays = {key: tensor.numpy() for key, tensor in tensors.items()}
    content = np.frombuffer(json.dumps(values).encode(), dtype=np.uint8)
    return {**arrays, _DUALS: duals.float().numpy(), _VALUES: content}
