"""Transfer features: accuracies predicted by a Gaussian process fitted to the shipped digits table.

The shipped table has the accuracies of 1,438 NAS-Bench-101 cells on images of digits. A Gaussian
process predicts them for every cell, and a predictor for another task takes the predictions as
further features of the graph. They must not be used for labels that were measured on the digits
themselves, since the table may contain the answers: :func:`are_shipped_labels` recognises them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.data.tables.shipped import SHIPPED_TABLE, shipped_measurements, shipped_table
from pyg_nas.features.graph_features import FEATURE_VERSION, CellFeatures, cell_features
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.array_cache import Arrays, cached_arrays
from pyg_nas.metrics.regression import spearman
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess
from pyg_nas.predictors.label_transform import latent_labels
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.storage.state import pack_state, unpack_state
from pyg_nas.spaces.measurements import ACCURACIES, END, METRICS

# Raised when the transfer process changes, which is stored in the cache folder.
_VERSION = 2
# Version 0.1 named the same cells and accuracies by the bytes of the table's file; its models have
# that name.
_EARLIER_NAMES = {"ec318804b1271724": "5e7f2c3aa6387a20"}
_TUNING_CELLS = 700
_DUALS = "duals"

# Labels of the digits, however they are combined or transformed, rank cells as the table does:
# two of its runs have a rank correlation of 0.95, another task's labels one of 0.4.
_SAME_ORDER, _ORDERED_CELLS = 0.9, 10
_SAME_LABEL = 1e-5


@lru_cache(maxsize=1)
def transfer_digest() -> str:
    """Return 16 hex digits that identify the used data of the shipped table and this version."""
    digest = sha256(shipped_measurements() + str(_VERSION).encode()).hexdigest()[:16]
    return _EARLIER_NAMES.get(digest, digest)


def transfer_features(features: CellFeatures) -> NDArray[np.float32]:
    """Return the transfer features of NAS-Bench-101 cells from their features, ``[N, F]``.

    One feature for each budget, point (halfway, end) and accuracy (training, validation, test) of
    the shipped table: the posterior mean of the latent labels of its mean over runs.
    """
    transfer = digits_process()
    return transfer.process.posterior_means(features, transfer.duals)


def are_shipped_labels(cells: CellArray, labels: NDArray[np.float64]) -> bool:
    """Return whether labels ``[N]`` of NAS-Bench-101 cells are the shipped digits table's own.

    They are if they have its values (:func:`have_shipped_values`), or if the cells are ordered
    nearly as by one of its metrics.
    """
    known, given = _shared(SHIPPED_TABLE, cells, labels)
    if _are_equal(known, given):
        return True
    if len(given) < _ORDERED_CELLS or np.ptp(given) == 0:
        return False
    varied = known[:, np.ptp(known, axis=0) > 0]
    return any(abs(spearman(column, given)) > _SAME_ORDER for column in varied.T)


def have_shipped_values(table: str, cells: CellArray, labels: NDArray[np.float64]) -> bool:
    """Return whether labels ``[N]`` of cells are the values of a shipped table.

    They are if half of the labels of cells that the table has are equal to one of its metrics: a
    run's or the mean over runs, as a fraction, in percent or as an error.
    """
    return _are_equal(*_shared(table, cells, labels))


def _shared(
    table: str, cells: CellArray, labels: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return columns ``[n, columns]`` and labels ``[n]`` of the cells that a table has."""
    hashes = cells.hashes()
    known_hashes, columns = _columns(table)
    order = np.argsort(known_hashes)
    place = np.searchsorted(known_hashes, hashes, sorter=order).clip(max=len(order) - 1)
    rows = order[place]
    shared = np.flatnonzero(known_hashes[rows] == hashes)
    return columns[rows[shared]], labels[shared]


def _are_equal(known: NDArray[np.float64], given: NDArray[np.float64]) -> bool:
    forms = (given, given / 100, 1 - given, 1 - given / 100)
    counts = [(np.abs(known - form[:, None]) < _SAME_LABEL).sum(axis=0).max() for form in forms]
    return len(given) > 0 and 2 * max(counts) >= len(given)


@lru_cache
def _columns(name: str) -> tuple[NDArray[np.bytes_], NDArray[np.float64]]:
    """Hashes of a shipped table, and accuracies of each run and their mean [cells, columns]."""
    table = shipped_table(name)
    accuracies = table.metrics[..., ACCURACIES].astype(np.float64)
    means = accuracies.mean(axis=2, keepdims=True)
    columns = np.concatenate([accuracies, means], axis=2).reshape(len(accuracies), -1)
    return table.hashes, columns


@dataclass(frozen=True)
class TransferProcess:
    """A process fitted to the shipped table, ready for any cells.

    Attributes:
        process: Tuned on the table's final validation accuracy.
        duals: float32 ``[measured cells, features]``, the process' weights for each feature.
    """

    process: GaussianProcess
    duals: Tensor


@lru_cache(maxsize=1)
def digits_process() -> TransferProcess:
    """Return the process of the shipped table: fitted once, then read from the cache folder."""
    name = f"digits-transfer-{transfer_digest()}-{FEATURE_VERSION}"
    arrays = dict(cached_arrays(name, _fitted))
    duals = torch.from_numpy(arrays.pop(_DUALS))
    process = GaussianProcess(tuning_cells=_TUNING_CELLS)
    unpack_state(process, arrays)
    return TransferProcess(process, duals)


def _fitted() -> Arrays:
    """Fit the process; return its state and its duals."""
    table = shipped_table()
    accuracies = table.metrics[..., ACCURACIES].mean(axis=2, dtype=np.float64)
    final_validation = np.ravel_multi_index(
        (len(table.budgets) - 1, END, METRICS[ACCURACIES].index("validation_accuracy")),
        accuracies.shape[1:],
    )
    latent = latent_labels(accuracies.reshape(len(table), -1))
    process = GaussianProcess(tuning_cells=_TUNING_CELLS)
    data = LabelledFeatures(cell_features(table.cells), latent[:, final_validation])
    process.fit_features(table.cells.space, data)
    duals = torch.cholesky_solve(torch.from_numpy(latent), process.factor_)
    return {**pack_state(process), _DUALS: duals.float().numpy()}
