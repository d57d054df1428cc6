"""Named splits against the reproduction's rule, protocols, folds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import RepeatedKFold, StratifiedKFold

from pyg_nas.data.labels import LabelPolicy
from pyg_nas.data.splits import (
    NAMED_SPLITS,
    Protocol,
    grouped_folds,
    split_rows,
    stratified_folds,
)
from pyg_nas.data.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.trained import Model
from pyg_nas.predictors.tuning import TuneSettings
from pyg_nas.spaces.nasbench101 import NASBENCH101


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.7, 0.95, 1000)


class Sized:
    """In place of a table: splits use only its length and its space."""

    space = NASBENCH101

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


@pytest.mark.parametrize(
    "wrong", [{"split_seed": -1}, {"split_seed": 2**32}, {"split_seed": "a"}, {"train": 172}]
)
def test_wrong_protocols_are_refused(wrong: dict) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Protocol(**{"train": "172", **wrong})


def test_a_label_that_no_cell_has_is_named(small_table: Table) -> None:
    empty = Table(small_table.cells, np.full_like(small_table.metrics, np.nan))
    for train in ("10", "all"):
        with pytest.raises(SettingsError, match="has the label validation accuracy"):
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


def one_run(values: list[float], runs: int = 1) -> Table:
    """A table of cells with these validation accuracies of run 0; further runs are at 0.95."""
    metrics = np.full((len(values), 4, runs, 2, 4), 0.95, np.float32)
    metrics[:, 3, 0, 1, 2] = values
    return Table(sample_cells(len(values), 0), metrics)


def test_a_broken_run_that_is_replaced_stays_out_of_denoised_splits() -> None:
    table = one_run([0.1, 0.92, 0.9, 0.15], runs=3)
    assert table.label()[0] == pytest.approx(0.95)
    assert Protocol("4", "denoise-80").evaluated(table, np.array([], "S32"))[0].tolist() == [1, 2]
    assert sorted(Protocol("91-4").apply(table).train.tolist()) == [1]
    mean = Protocol("4", "denoise-80", label=LabelPolicy(run="mean"))
    assert mean.evaluated(table, np.array([], "S32"))[0].tolist() == [1, 2]
    time = Protocol("4", "denoise-91", label=LabelPolicy("training_time"))
    assert time.evaluated(table, np.array([], "S32"))[0].tolist() == [1]


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


@pytest.fixture
def repeated() -> Table:
    """100 graphs, three of each four twice with another label, in a random order."""
    cells = sample_cells(100, 0)
    rng = np.random.default_rng(0)
    rows = rng.permutation(np.concatenate([np.arange(100), np.arange(75)]))
    metrics = np.full((175, 1, 1, 2, 4), np.nan, np.float32)
    metrics[:, 0, 0, 1, 2] = rng.uniform(0.85, 0.95, 175)
    return Table(cells[rows], metrics, budgets=(1,), about={"source": "x.jsonl"})


@pytest.mark.parametrize("evaluate", ["all", "denoise-90", "120"])
@pytest.mark.parametrize("train", ["50", "91-60"])
def test_a_graph_is_on_one_side_and_evaluated_once(
    repeated: Table, train: str, evaluate: str
) -> None:
    split = Protocol(train, evaluate).apply(repeated)
    trained, evaluated = repeated.hashes[split.train], repeated.hashes[split.evaluate]
    assert not set(trained.tolist()) & set(evaluated.tolist())
    assert len(set(evaluated.tolist())) == len(evaluated) > 5
    if train == "50":  # all rows that were drawn train, each with its own label
        assert len(trained) == 50 > len(set(trained.tolist()))
    np.testing.assert_array_equal(split.train_labels, repeated.label()[split.train])
    for row, label in zip(split.evaluate, split.evaluate_labels, strict=True):
        same = repeated.hashes == repeated.hashes[row]
        assert row == np.flatnonzero(same)[0] or evaluate == "120"
        assert label == pytest.approx(repeated.label()[same].mean())


def test_a_model_is_evaluated_on_other_graphs_than_its_own(repeated: Table) -> None:
    model = Model.train(repeated, Protocol("60"), "paper", epochs=1, hidden=8)
    result = model.evaluate(repeated)
    assert not np.isin(repeated.hashes[result.rows], model.training_hashes).any()
    assert len(result.rows) + result.left_out == 100
    assert result.left_out == len(np.unique(model.training_hashes))


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


def test_split_files_travel_with_their_digest(tmp_path: Path, small_table: Table) -> None:
    path = tmp_path / "rows.json"
    path.write_text("[5, 3, 8]")
    protocol = Protocol(str(path), str(tmp_path / "test.txt"))
    (tmp_path / "test.txt").write_text("\n".join(map(str, range(20))))
    named = protocol.on(small_table)
    split = named.apply(small_table)
    assert split.train.tolist() == [5, 3, 8]
    assert split.evaluate.tolist() == [row for row in range(20) if row not in (5, 3, 8)]
    assert named.train_digest == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert f"rows.json (sha256 {named.train_digest})" in named.name
    again = Protocol.from_dict(json.loads(json.dumps(named.to_dict())))
    assert again == named
    path.write_text("[5, 3, 9]")
    with pytest.raises(SettingsError, match=r"rows\.json: the file has changed"):
        again.apply(small_table)
    # What was trained on is known by hashes: evaluating does not need its file.
    path.unlink()
    assert len(again.evaluated(small_table, small_table.hashes[[5, 3, 8]])[0]) == 17


def test_a_split_file_may_not_name_what_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("0\n1\n")
    table = one_run([0.9, float("nan"), 0.8])
    with pytest.raises(SettingsError, match=r"row 1 has no label \(1 of 2"):
        Protocol(str(tmp_path / "rows.txt")).apply(table)


def test_a_split_file_whose_name_cannot_be_stored_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"split .* must be UTF-8 text"):
        Protocol(train="b\udcff.txt")
