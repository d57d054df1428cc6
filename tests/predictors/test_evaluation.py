"""Files of scores beside a table, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.protocol import UNTRAINED, Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.predictors.evaluation import compared_rows, evaluate_scores


@pytest.fixture
def scores(small_table: Table) -> np.ndarray:
    return small_table.label() + np.random.default_rng(0).normal(0, 0.02, len(small_table))


def test_figures_are_those_of_the_cells_with_a_score(
    small_table: Table, scores: np.ndarray
) -> None:
    scores[::3] = np.nan
    found = evaluate_scores(small_table, scores, Protocol(UNTRAINED))
    rows = np.flatnonzero(~np.isnan(scores))
    assert found.rows.tolist() == rows.tolist()
    assert (found.left_out, found.without_score) == (0, 100)
    figures, measured = found.figures(), small_table.label()[rows]
    assert figures["n"] == 200
    assert figures["kendall_tau"] == pytest.approx(kendalltau(measured, scores[rows]).statistic)
    error = 100 * (measured - scores[rows])  # of fractions, in points
    assert figures["mse"] == pytest.approx((error**2).mean())


def test_training_cells_of_the_scores_are_left_out(small_table: Table, scores: np.ndarray) -> None:
    found = evaluate_scores(small_table, scores, Protocol("50"))
    trained = np.random.RandomState(0).permutation(300)[:50]
    assert not np.isin(found.rows, trained).any()
    assert (len(found.rows), found.left_out) == (250, 50)


def test_the_shortest_of_times_are_the_best(small_table: Table) -> None:
    label = LabelPolicy("training_time")
    seconds = small_table.label(label)
    found = evaluate_scores(small_table, -seconds, Protocol(UNTRAINED, label=label))
    assert not found.larger_is_better
    assert not found.fractions
    assert found.figures()["best_in_top_1"] == pytest.approx(seconds.max())


def test_at_least_one_cell_needs_a_score(small_table: Table) -> None:
    nothing = np.full(len(small_table), np.nan)
    with pytest.raises(SettingsError, match="no measured cell of split 'all' has a score"):
        evaluate_scores(small_table, nothing, Protocol(UNTRAINED))


def test_scores_of_other_cells_are_refused(small_table: Table) -> None:
    for count in (299, 301):
        with pytest.raises(SettingsError, match=rf"scores must be \[300\], got \[{count}\]"):
            evaluate_scores(small_table, np.zeros(count), Protocol(UNTRAINED))


def test_a_model_is_compared_on_cells_that_it_was_not_trained_on(small_table: Table) -> None:
    own = Protocol("50").on(small_table)
    trained = np.random.RandomState(0).permutation(300)[:50]
    hashes = small_table.hashes[trained]
    found = compared_rows(own, hashes, small_table)
    assert (sorted({*found.rows, *trained}), found.left_out) == (list(range(300)), 50)
    assert found.labels.tolist() == small_table.label()[found.rows].tolist()
    with pytest.raises(SettingsError, match=r"no measured cell .* not trained on; train on a part"):
        compared_rows(own, hashes, small_table, "50")
    with pytest.raises(SettingsError, match=r"larger is better\) cannot be .* \(smaller is bet"):
        compared_rows(own, hashes, small_table, label=LabelPolicy("training_time"))
