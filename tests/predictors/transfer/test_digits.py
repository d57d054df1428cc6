"""What the shipped table says of other cells, and where it must stay silent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.shipped import shipped_table
from pyg_nas.data.tables.table import Table
from pyg_nas.features.graph_features import TRANSFER_GROUP, cell_features
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess
from pyg_nas.predictors.hybrid import HybridRegressor
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.trained import TrainedPredictor
from pyg_nas.predictors.transfer.digits import (
    are_shipped_labels,
    digits_process,
    transfer_digest,
    transfer_features,
)

FAST = {"ensemble_size": 1, "hidden": 8, "epochs": 2}


def test_its_columns_have_the_measured_cells() -> None:
    table = shipped_table()
    columns = transfer_features(cell_features(table.cells))
    assert columns.shape == (len(table), 18)
    final = table.label(LabelPolicy(run="mean"))
    # Budget 16, end, validation: the last but one column.
    assert kendalltau(columns[:, -2], final).statistic > 0.8


def test_single_precision_is_enough() -> None:
    cells = sample_cells(500, seed=0)
    features = cell_features(cells)
    transfer = digits_process()
    columns = transfer_features(features)
    exact = transfer.process.posterior_means(features, transfer.duals.double())
    assert columns.dtype == np.float32
    np.testing.assert_allclose(columns, exact, atol=1e-3)
    assert np.sqrt(np.mean((columns - exact) ** 2)) < 3e-4


def test_it_is_fitted_once_for_all_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = sample_cells(50, seed=1)
    features = cell_features(cells)
    before = transfer_features(features)
    monkeypatch.setenv("PYG_NAS_CACHE", str(tmp_path))
    digits_process.cache_clear()
    fitted = transfer_features(features)
    np.testing.assert_allclose(fitted, before, atol=1e-3)
    (kept,) = tmp_path.iterdir()
    with monkeypatch.context() as without_fits:
        without_fits.setattr(GaussianProcess, "fit_features", None)
        digits_process.cache_clear()  # as in another process
        np.testing.assert_array_equal(transfer_features(features), fitted)
    # A damaged file is made again.
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2])
    digits_process.cache_clear()
    np.testing.assert_allclose(transfer_features(features), fitted, atol=1e-3)
    assert len(kept.read_bytes()) == len(content)


def test_it_ranks_real_cells_better_than_chance(real_table: Table) -> None:
    """It never saw CIFAR-10; that it still says something is the whole point."""
    cells = real_table.cells[:2000]
    columns = transfer_features(cell_features(cells))
    assert kendalltau(columns[:, -2], real_table.label()[:2000]).statistic > 0.25


def test_it_helps_with_few_cells(real_table: Table) -> None:
    labels = real_table.label()
    rows = np.random.default_rng(0).permutation(len(real_table))
    train, unseen = rows[:60], rows[1000:3000]
    taus = [
        kendalltau(
            HybridRegressor(ensemble_size=0, transfer=use)
            .fit(real_table.cells[train], labels[train])
            .predict(real_table.cells[unseen]),
            labels[unseen],
        ).statistic
        for use in (True, False)
    ]
    assert taus[0] > taus[1]


def test_its_own_task_is_predicted_without_it(small_table: Table) -> None:
    assert make_estimator("best").transfer
    assert make_estimator("fast").transfer
    assert not HybridRegressor().transfer
    digits = TrainedPredictor.train(shipped_table(), Protocol(train="60"), "fast")
    assert TRANSFER_GROUP not in digits.estimator.extra_features_
    other = TrainedPredictor.train(small_table, Protocol(train="60"), "fast")
    assert other.estimator.extra_features_[TRANSFER_GROUP] == transfer_digest()


def test_other_spaces_have_none() -> None:
    space = SearchSpace("made-up", ("a", "b"), 5, 10)
    rng = np.random.default_rng(0)
    graphs = [
        Cell(np.triu(rng.random((5, 5)) < 0.5, 1), rng.choice(["a", "b"], 5).tolist(), space)
        for _ in range(30)
    ]
    model = HybridRegressor(**FAST, transfer=True).fit(CellArray.from_cells(graphs), rng.random(30))
    assert model.extra_features_ == {}


@pytest.mark.parametrize(
    "label",
    [LabelPolicy(), LabelPolicy(run="mean"), LabelPolicy("train_accuracy", 6, 2)],
)
@pytest.mark.parametrize(
    "form",
    [
        lambda y: y,
        lambda y: 100 * y,
        lambda y: 1 - y,
        lambda y: (y - y.mean()) / y.std(),
        lambda y: np.log(y) + np.random.default_rng(0).normal(0, 1e-4, len(y)),
    ],
    ids=["fraction", "percent", "error", "standardised", "logarithm and noise"],
)
def test_shipped_labels_are_known_in_any_form(label: LabelPolicy, form: Callable) -> None:
    table = shipped_table()
    rows = np.random.default_rng(1).permutation(len(table))[:40]
    assert are_shipped_labels(table.cells[rows], form(table.label(label)[rows]))


def test_shipped_labels_are_known_among_few_cells_and_among_others() -> None:
    table = shipped_table()
    labels, own = table.label(), sample_cells(60, seed=5)
    assert are_shipped_labels(table.cells[:3], labels[:3])
    joined = CellArray.concatenate([own, table.cells[:3]])
    assert are_shipped_labels(joined, np.concatenate([np.zeros(60), labels[:3]]))


def test_labels_of_another_task_are_not_the_shipped_ones(real_table: Table) -> None:
    assert not are_shipped_labels(real_table.cells, real_table.label())
    table = shipped_table()
    size = np.log(table.cells.trainable_parameters())
    assert not are_shipped_labels(table.cells, size)
    assert not are_shipped_labels(table.cells, np.full(len(table), 0.5))
    assert not are_shipped_labels(sample_cells(5, seed=3), np.arange(5) / 5)
