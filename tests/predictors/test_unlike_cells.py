"""Cells unlike all training cells: without a path to the output, or without a convolution."""

from __future__ import annotations

import h5py
import numpy as np

from pyg_nas.features import path_feature_names, path_features
from pyg_nas.graphs import CellArray
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.spaces.nasbench201 import NASBENCH201
from tests.conftest import shared_file

NAMES = path_feature_names(NASBENCH201)
ALL = "paths of skip_connect or nor_conv_1x1 or nor_conv_3x3 or avg_pool_3x3"


def assert_unlike_cells_are_ranked_last(cells: CellArray, accuracy: np.ndarray) -> None:
    """Fit `fast` to 156 cells with a convolution, and rank all cells."""
    found = dict(zip(NAMES, path_features(cells).T, strict=True))
    is_connected = found[ALL] > 0
    has_convolution = is_connected & (found["paths of skip_connect or avg_pool_3x3"] < found[ALL])
    order = np.random.default_rng(0).permutation(len(cells))
    train = order[has_convolution[order]][:156]
    predicted = make_estimator("fast").fit(cells[train], accuracy[train]).predict(cells)
    like = predicted[has_convolution]
    assert not is_connected.all()
    assert (predicted[~is_connected] < np.quantile(like, 0.25)).all()
    assert np.median(predicted[is_connected & ~has_convolution]) < np.quantile(like, 0.1)


def test_in_a_made_up_table() -> None:
    """Accuracy saturates with the parameters, and is 10 % without a path."""
    cells = NASBENCH201.support.cells()
    connected = path_features(cells)[:, NAMES.index(ALL)] > 0
    size = np.log(cells.trainable_parameters())
    rising = 0.9 - 0.2 * np.exp(size.min() - size)
    noise = np.random.default_rng(0).normal(0, 0.003, len(cells))
    assert_unlike_cells_are_ranked_last(cells, np.where(connected, rising + noise, 0.1))


def test_in_nasbench201() -> None:
    with h5py.File(shared_file("nasbench201.hdf5")) as file:
        accuracy = file["epochs200/cifar10/val_mean"][:] / 100
        operations = file["operations"][:]
    rows = np.flatnonzero(np.isfinite(accuracy))
    codes = NASBENCH201.support.edge_cells.codes(operations[rows])
    cells = NASBENCH201.support.cells_of_codes(codes)
    first = np.unique(cells.hashes(), return_index=True)[1]
    assert_unlike_cells_are_ranked_last(cells[first], accuracy[rows][first])
