"""Named splits against the reproduction's rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.protocols.splits import NAMED_SPLITS, is_random, labels_needed, split_rows
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.spaces.nasbench101 import NASBENCH101
from tests.data.conftest import one_run


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.7, 0.95, 1000)


class Sized:
    """In place of a table: splits use only its length, its space and what a row is."""

    space = NASBENCH101
    thing = "cell"

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
    ("name", "needed"),
    [("172", 172), ("91-172", 172), ("denoise-91", 1000), ("all", 130), ("x-1.json", 130)],
)
def test_a_threshold_needs_the_labels_of_the_cells_below_it(name: str, needed: int) -> None:
    assert labels_needed(name, 172 if name == "172" else 130, 1000) == needed
    assert is_random(name) == (name in ("172", "91-172"))


@pytest.mark.parametrize("seed", [None, 0.5, 2**32])
def test_splits_need_a_seed(labels: np.ndarray, seed: Any) -> None:
    with pytest.raises(SettingsError, match="seed must be "):
        split_rows(Sized(1000), 10, labels, seed)


@pytest.mark.parametrize(
    "name", ["", "none", "0", "1001", "-5", "91-", "x-172", "denoise-", "denoise-x", "denoise-0"]
)
def test_bad_names_are_refused(labels: np.ndarray, name: str) -> None:
    with pytest.raises(SettingsError):
        split_rows(Sized(1000), name, labels)


def test_a_table_that_is_too_small_names_the_split_all(labels: np.ndarray) -> None:
    message = "split 1001 must have 1 to 1,000 .*, got 1001; the split all has each of them"
    with pytest.raises(SettingsError, match=message):
        split_rows(Sized(1000), 1001, labels)


def test_all_named_splits_exist_on_a_real_table(real_table: Table) -> None:
    labels = real_table.label()
    sizes = {name: len(split_rows(real_table, name, labels)) for name in NAMED_SPLITS}
    assert sizes["172"] == 172
    assert sizes["all"] == 20_001
    assert sizes["91-172"] < 172
    assert sizes["denoise-91"] < sizes["denoise-80"] < sizes["all"]


def test_a_label_exactly_at_the_threshold_is_not_above_it() -> None:
    labels = np.array([0.91, 0.92, 0.5])
    assert split_rows(Sized(3), "denoise-91", labels).tolist() == [1]
    assert split_rows(Sized(3), "91-3", labels).tolist() == [1]


def test_thresholds_go_by_the_raw_first_run(real_table: Table) -> None:
    raw = real_table.metrics[:, 3, 0, 1, 2]
    broken = int((real_table.label() > 0.8).sum() - (raw > 0.8).sum())
    assert broken == 24
    for rows in (
        split_rows(real_table, "denoise-80", real_table.label()),
        Protocol("172", "denoise-80").evaluated(real_table, np.array([], "S32"))[0],
    ):
        assert len(rows) == 19_903
        np.testing.assert_array_equal(rows, np.flatnonzero(raw > np.float32(0.8)))


@pytest.mark.parametrize("percent", [91, 80, 70, 93, 7])
def test_thresholds_are_compared_in_the_precision_of_the_table(percent: int) -> None:
    at = np.float32(percent / 100)
    neighbours = [np.nextafter(at, np.float32(side)) for side in (0, 1)]
    table = one_run([float(neighbours[0]), float(at), float(neighbours[1])])
    assert split_rows(table, f"denoise-{percent}", table.label()).tolist() == [2]
    assert split_rows(table, f"{percent}-3", table.label()).tolist() == [2]


def test_thresholds_and_accuracies_in_percent() -> None:
    table = one_run([93.0, 91.0, 10.0, 80.5])
    table.about = {"task": "mine"}
    assert split_rows(table, "denoise-91", table.label()).tolist() == [0]
    assert split_rows(table, "denoise-80", table.label()).tolist() == [0, 1, 3]
    for values, known in (([-0.5, 0.2], "-0.5 to 0.2"), ([0.3, 300.0], "0.3 to 300")):
        odd = one_run(values)
        with pytest.raises(SettingsError, match=f"percent .*, they are {known}"):
            split_rows(odd, "denoise-91", np.array(values))
    unmeasured = one_run([float("nan")] * 2)
    with pytest.raises(SettingsError, match="'denoise-91' needs accuracies"):
        split_rows(unmeasured, "denoise-91", np.array([1.0, 2.0]))
