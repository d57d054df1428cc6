"""The recipe small-gp: robust, stored, and usable by name."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.gaussian_process.small import small_features
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.storage.folder import load_model, save_model

CELLS = sample_cells(120, seed=0)
Y = 0.8 + 0.02 * np.log10(CELLS.trainable_parameters())


def test_it_learns_and_is_stored(tmp_path: Path) -> None:
    model = make_estimator("small-gp").fit(CELLS[:60], Y[:60])
    assert np.corrcoef(model.predict(CELLS[60:]), Y[60:])[0, 1] > 0.9
    save_model(model, tmp_path / "m")
    for one, two in zip(
        load_model(tmp_path / "m").predict(CELLS, return_std=True),
        model.predict(CELLS, return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, rtol=1e-6)
    assert model.predict(CELLS[:0]).shape == (0,)


def test_a_failed_run_changes_little() -> None:
    failed = Y.copy()
    failed[3] = 0.1
    fitted, plain = (make_estimator("small-gp").fit(CELLS[:60], y[:60]) for y in (failed, Y))
    change = np.abs(fitted.predict(CELLS[60:]) - plain.predict(CELLS[60:]))
    assert change.max() < 3 * Y.std()


def test_labels_of_which_most_are_equal_keep_their_order() -> None:
    labels = np.minimum(Y, np.quantile(Y[:60], 0.4))  # as on a small validation set
    model = make_estimator("small-gp").fit(CELLS[:60], labels[:60])
    assert np.corrcoef(model.predict(CELLS[60:]), labels[60:])[0, 1] > 0.8


def test_an_optimum_at_a_bound_prints_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_estimator("small-gp").fit(CELLS[:8], Y[:8])


def test_weights_of_zero_leave_cells_out_and_small_ones_weigh_less() -> None:
    weights = np.ones(60)
    weights[3] = 0
    wrong = Y[:60].copy()
    wrong[3] += 0.01
    kept = np.flatnonzero(weights)
    without = make_estimator("small-gp").fit(CELLS[kept], Y[kept]).predict(CELLS)
    zero = make_estimator("small-gp").fit(CELLS[:60], wrong, weights).predict(CELLS)
    np.testing.assert_allclose(zero, without, rtol=1e-9)
    weights[3] = 1e-3
    small = make_estimator("small-gp").fit(CELLS[:60], wrong, weights).predict(CELLS)
    full = make_estimator("small-gp").fit(CELLS[:60], wrong).predict(CELLS)
    assert abs(small[3] - without[3]) < abs(full[3] - without[3])


def test_paths_are_counted() -> None:
    adjacency = CELLS.adjacency.astype(np.float64)
    expected = sum(np.linalg.matrix_power(adjacency, n) for n in range(1, adjacency.shape[-1]))
    paths = expected[np.arange(len(CELLS)), 0, CELLS.num_vertices.astype(int) - 1]
    assert (small_features(CELLS) == np.log1p(paths)[:, None]).all(axis=0).any()


def test_networks_with_more_paths_than_a_float_can_count() -> None:
    size = 1_100  # 2**1098 paths
    space = SearchSpace("large", ("a",), size, size**2, ())
    cell = Cell(np.triu(np.ones((size, size), np.int8), 1), ["a"] * size, space)
    assert np.isfinite(small_features(CellArray.from_cells([cell]))).all()
