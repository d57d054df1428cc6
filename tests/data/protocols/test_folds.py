"""Folds against scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import RepeatedKFold, StratifiedKFold

from pyg_nas.data.protocols.folds import grouped_folds, stratified_folds
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.model_selection.tuning import TuneSettings


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.7, 0.95, 1000)


def test_folds_are_disjoint_cover_all_and_are_stratified(labels: np.ndarray) -> None:
    folds = list(stratified_folds(labels, folds=5, repeats=2, seed=1))
    assert len(folds) == 10
    for train, held_out in folds:
        assert not set(train) & set(held_out)
        assert len(train) + len(held_out) == 1000
        assert labels[held_out].mean() == pytest.approx(labels.mean(), abs=0.005)
    assert sorted(np.concatenate([held for _, held in folds[:5]])) == list(range(1000))


@pytest.mark.parametrize(("total", "folds"), [(2, 2), (3, 2), (7, 5), (5, 5)])
def test_folds_of_few_labels(total: int, folds: int) -> None:
    parts = list(stratified_folds(np.arange(total, dtype=float), folds))
    assert sorted(np.concatenate([held for _, held in parts])) == list(range(total))


@pytest.mark.parametrize("folds", [0, 1, 11])
def test_impossible_folds_are_refused(folds: int) -> None:
    with pytest.raises(SettingsError):
        list(stratified_folds(np.arange(10.0), folds))


@pytest.mark.parametrize("seed", [None, 0.5, 2**32])
def test_folds_need_a_seed(seed: Any) -> None:
    with pytest.raises(SettingsError, match="seed must be "):
        list(stratified_folds(np.arange(10.0), 5, seed=seed))


def test_folds_follow_their_seed() -> None:
    labels = np.random.default_rng(0).random(60)

    def held_out(seed: int) -> list[list[int]]:
        return [held.tolist() for _, held in stratified_folds(labels, 3, seed=seed)]

    assert held_out(1) == held_out(1) != held_out(2)


def test_folds_keep_a_graph_together(repeated: Table) -> None:
    y = repeated.label()
    settings = TuneSettings(folds=4, repeats=2)
    for folds in (
        list(stratified_folds(y, 4, 2, hashes=repeated.hashes)),
        settings.splits(len(repeated), repeated.hashes),
        list(grouped_folds(StratifiedKFold(4), repeated.hashes, y > np.median(y))),
    ):
        for train, held_out in folds:
            assert sorted([*train, *held_out]) == list(range(175))
            assert not np.isin(repeated.hashes[train], repeated.hashes[held_out]).any()
            assert len(held_out) > 20


def test_folds_of_different_graphs_are_the_splitters_own() -> None:
    cells = sample_cells(40, 0)
    splitter = RepeatedKFold(n_splits=4, n_repeats=2, random_state=3)
    expected = list(splitter.split(np.zeros(40)))
    for got, wanted in zip(grouped_folds(splitter, cells.hashes()), expected, strict=True):
        np.testing.assert_array_equal(got[0], wanted[0])
        np.testing.assert_array_equal(got[1], wanted[1])
