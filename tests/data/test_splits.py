"""Named splits against the reproduction's rule, protocols, folds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pyg_nas.data.labels import LabelPolicy
from pyg_nas.data.splits import (
    NAMED_SPLITS,
    Protocol,
    split_rows,
    stratified_folds,
)
from pyg_nas.data.table import Table
from pyg_nas.errors import SettingsError


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.7, 0.95, 1000)


class Sized:
    """Stands for a table: splits only ask for its length."""

    def __init__(self, total: int) -> None:
        self.total = total

    def __len__(self) -> int:
        return self.total


@pytest.mark.parametrize("seed", [0, 3])
def test_named_sizes_are_successive_permutations(labels: np.ndarray, seed: int) -> None:
    state = np.random.RandomState(seed)
    for n in (172, 334, 860):
        expected = state.permutation(1000)[:n]
        assert np.array_equal(split_rows(Sized(1000), str(n), labels, seed), expected)
        above = expected[labels[expected] > 0.91]
        assert np.array_equal(split_rows(Sized(1000), f"91-{n}", labels, seed), above)


def test_other_numbers_take_the_first_permutation(labels: np.ndarray) -> None:
    order = np.random.RandomState(0).permutation(1000)
    assert np.array_equal(split_rows(Sized(1000), 50, labels), order[:50])
    assert np.array_equal(split_rows(Sized(1000), "1000", labels), order)


def test_denoised_and_all(labels: np.ndarray) -> None:
    table = Sized(1000)
    assert np.array_equal(split_rows(table, "denoise-91", labels), np.flatnonzero(labels > 0.91))
    assert np.array_equal(split_rows(table, "denoise-80", labels), np.flatnonzero(labels > 0.80))
    assert np.array_equal(split_rows(table, "all", labels), np.arange(1000))


def test_unmeasured_cells_are_passed_over(labels: np.ndarray) -> None:
    partial = labels.copy()
    partial[::2] = np.nan
    for name in ("172", "91-172", "denoise-80", "all", "500"):
        rows = split_rows(Sized(1000), name, partial)
        assert not np.isnan(partial[rows]).any()
    assert len(split_rows(Sized(1000), "172", partial)) == 172


@pytest.mark.parametrize(
    "name", ["", "none", "0", "1001", "-5", "91-", "x-172", "denoise-", "denoise-x", "denoise-0"]
)
def test_bad_names_are_refused(labels: np.ndarray, name: str) -> None:
    with pytest.raises(SettingsError):
        split_rows(Sized(1000), name, labels)


def test_protocol_never_evaluates_training_cells(small_table: Table) -> None:
    for evaluate in ("all", "denoise-80", "100"):
        split = Protocol(train="50", evaluate=evaluate).apply(small_table)
        assert not set(split.train) & set(split.evaluate)
    everything = Protocol(train="50", evaluate="all").apply(small_table)
    assert len(everything.train) + len(everything.evaluate) == len(small_table)


def test_protocol_survives_json() -> None:
    protocol = Protocol("172", "denoise-91", 4, LabelPolicy(run="mean"), LabelPolicy(run=1))
    text = json.dumps(protocol.to_dict())
    assert Protocol.from_dict(json.loads(text)) == protocol
    assert "172" in protocol.name
    assert "denoise-91" in str(protocol)


def test_a_protocol_without_a_label_takes_the_tables(small_table: Table) -> None:
    protocol = Protocol("50")
    assert protocol.on(small_table).label == small_table.default_label
    split = protocol.apply(small_table)
    assert np.array_equal(split.train_labels, small_table.label()[split.train])
    named = Protocol("50", label=LabelPolicy(run=1))
    assert named.on(small_table) == named
    assert Protocol.from_dict(json.loads(json.dumps(protocol.to_dict()))) == protocol
    assert "default of the table" in str(protocol)


@pytest.mark.parametrize("wrong", [{"split_seed": -1}, {"split_seed": "a"}, {"train": 172}])
def test_wrong_protocols_are_refused(wrong: dict) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Protocol(**{"train": "172", **wrong})


def test_a_label_that_no_cell_has_is_named(small_table: Table) -> None:
    empty = Table(small_table.cells, np.full_like(small_table.metrics, np.nan))
    for train in ("10", "all"):
        with pytest.raises(SettingsError, match="no cell of the table has a validation accuracy"):
            Protocol(train).apply(empty)


def test_evaluation_label_may_differ(small_table: Table) -> None:
    other = LabelPolicy(metric="test_accuracy", run="mean")
    split = Protocol("50", label=LabelPolicy(run=1), evaluation_label=other).apply(small_table)
    assert np.array_equal(split.train_labels, small_table.label(LabelPolicy(run=1))[split.train])
    assert np.array_equal(split.evaluate_labels, small_table.label(other)[split.evaluate])


def test_all_named_splits_exist_on_a_real_table(real_table: Table) -> None:
    labels = real_table.label()
    sizes = {name: len(split_rows(real_table, name, labels)) for name in NAMED_SPLITS}
    assert sizes["172"] == 172
    assert sizes["all"] == 20_001
    assert sizes["91-172"] < 172
    assert sizes["denoise-91"] < sizes["denoise-80"] < sizes["all"]


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


def test_the_split_seed_draws_training_and_evaluated_cells(small_table: Table) -> None:
    split = Protocol("50", evaluate="80", split_seed=3).apply(small_table)
    order = np.random.RandomState(3).permutation(300)
    np.testing.assert_array_equal(split.train, order[:50])
    np.testing.assert_array_equal(split.evaluate, order[50:80])


def test_the_evaluated_split_goes_by_the_evaluation_label(small_table: Table) -> None:
    other = LabelPolicy(metric="test_accuracy", run=1)
    split = Protocol("20", evaluate="denoise-77", evaluation_label=other).apply(small_table)
    compared = small_table.metrics[:, 3, 1, 1, 3].astype(float)
    expected = np.setdiff1d(np.flatnonzero(compared > 0.77), split.train)
    np.testing.assert_array_equal(split.evaluate, expected)
    assert not np.array_equal(compared > 0.77, small_table.label() > 0.77)


def test_a_label_exactly_at_the_threshold_is_not_above_it() -> None:
    labels = np.array([0.91, 0.92, 0.5])
    assert split_rows(Sized(3), "denoise-91", labels).tolist() == [1]
    assert split_rows(Sized(3), "91-3", labels).tolist() == [1]


def test_folds_follow_their_seed() -> None:
    labels = np.random.default_rng(0).random(60)

    def held_out(seed: int) -> list[list[int]]:
        return [held.tolist() for _, held in stratified_folds(labels, 3, seed=seed)]

    assert held_out(1) == held_out(1) != held_out(2)
