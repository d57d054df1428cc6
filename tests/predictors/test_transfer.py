"""What the shipped table says of other cells, and where it must stay silent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from pyg_nas.data.labels import LabelPolicy
from pyg_nas.data.shipped import shipped_table
from pyg_nas.data.splits import Protocol
from pyg_nas.data.table import Table
from pyg_nas.features.graph_statistics import PRIOR_GROUP, cell_features
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.gaussian_process import GaussianProcess
from pyg_nas.predictors.hybrid import BestRegressor
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.trained import Model
from pyg_nas.predictors.transfer import digits_prior, prior_columns, prior_digest

FAST = {"ensemble_size": 1, "hidden": 8, "epochs": 2}


def test_its_columns_know_the_measured_cells() -> None:
    table = shipped_table()
    columns = prior_columns(table.cells, cell_features(table.cells))
    assert columns.shape == (len(table), 18)
    final = table.label(LabelPolicy(run="mean"))
    # Budget 16, end, validation: the last but one column.
    assert kendalltau(columns[:, -2], final).statistic > 0.8


def test_single_precision_is_enough() -> None:
    cells = sample_cells(500, seed=0)
    features = cell_features(cells)
    prior = digits_prior()
    columns = prior_columns(cells, features)
    exact = prior.process.posterior_means(features, prior.duals.double())
    assert columns.dtype == np.float32
    np.testing.assert_allclose(columns, exact, atol=1e-3)
    assert np.sqrt(np.mean((columns - exact) ** 2)) < 3e-4


def test_it_is_fitted_once_for_all_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = sample_cells(50, seed=1)
    features = cell_features(cells)
    before = prior_columns(cells, features)
    monkeypatch.setenv("PYG_NAS_CACHE", str(tmp_path))
    digits_prior.cache_clear()
    fitted = prior_columns(cells, features)
    np.testing.assert_allclose(fitted, before, atol=1e-3)
    (kept,) = tmp_path.iterdir()
    with monkeypatch.context() as without_fits:
        without_fits.setattr(GaussianProcess, "fit_features", None)
        digits_prior.cache_clear()  # as in another process
        np.testing.assert_array_equal(prior_columns(cells, features), fitted)
    # A damaged file is made again.
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2])
    digits_prior.cache_clear()
    np.testing.assert_allclose(prior_columns(cells, features), fitted, atol=1e-3)
    assert len(kept.read_bytes()) == len(content)


def test_it_ranks_real_cells_better_than_chance(real_table: Table) -> None:
    """It never saw CIFAR-10; that it still says something is the whole point."""
    cells = real_table.cells[:2000]
    columns = prior_columns(cells, cell_features(cells))
    assert kendalltau(columns[:, -2], real_table.label()[:2000]).statistic > 0.25


def test_it_helps_with_few_cells(real_table: Table) -> None:
    labels = real_table.label()
    rows = np.random.default_rng(0).permutation(len(real_table))
    train, unseen = rows[:60], rows[1000:3000]
    taus = [
        kendalltau(
            BestRegressor(ensemble_size=0, prior=use)
            .fit(real_table.cells[train], labels[train])
            .predict(real_table.cells[unseen]),
            labels[unseen],
        ).statistic
        for use in (True, False)
    ]
    assert taus[0] > taus[1]


def test_its_own_task_is_predicted_without_it(small_table: Table) -> None:
    assert make_estimator("best", task="digits").prior is False
    assert make_estimator("fast", task="digits").prior is False
    assert make_estimator("best", task="cifar10").prior is True
    digits = Model.train(shipped_table(), Protocol(train="60"), "fast")
    assert PRIOR_GROUP not in digits.estimator.knowledge_
    other = Model.train(small_table, Protocol(train="60"), "fast")
    assert other.estimator.knowledge_[PRIOR_GROUP] == prior_digest()


def test_other_spaces_have_none() -> None:
    space = SearchSpace("made-up", ("a", "b"), 5, 10)
    rng = np.random.default_rng(0)
    graphs = [
        Cell(np.triu(rng.random((5, 5)) < 0.5, 1), rng.choice(["a", "b"], 5).tolist(), space)
        for _ in range(30)
    ]
    model = BestRegressor(**FAST).fit(CellArray.from_cells(graphs), rng.random(30))
    assert model.knowledge_ == {}
