"""Tuning against scikit-learn's own search, and that it never scores on training folds."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import GridSearchCV, RepeatedKFold

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import DivergedError, SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.model_selection.tuning import TuneSettings, one_standard_error, tune
from tests.search.predictors import LinearPredictor

GRID = [{"alpha": 1000.0}, {"alpha": 10.0}, {"alpha": 1.0}, {"alpha": 0.1}]


@pytest.fixture(scope="module")
def data(small_table: Table) -> tuple[CellArray, np.ndarray[Any, Any]]:
    return small_table.cells[:80], small_table.label()[:80]


def test_scores_and_choice_are_those_of_grid_search(
    data: tuple[CellArray, np.ndarray[Any, Any]],
) -> None:
    cells, y = data
    settings = TuneSettings(folds=4, repeats=2, seed=5)
    found = tune(LinearPredictor(), GRID, cells, y, settings)
    search = GridSearchCV(
        LinearPredictor(),
        {"alpha": [candidate["alpha"] for candidate in GRID]},
        scoring="neg_mean_squared_error",
        cv=RepeatedKFold(n_splits=4, n_repeats=2, random_state=5),
        refit=functools.partial(one_standard_error, folds=4),
    ).fit(cells, y)
    expected = search.cv_results_
    np.testing.assert_allclose(
        found.cv_results["mean_test_score"], 1e4 * expected["mean_test_score"], rtol=1e-9
    )
    np.testing.assert_allclose(
        found.cv_results["std_test_score"], 1e4 * expected["std_test_score"], rtol=1e-9
    )
    assert found.chosen == search.best_params_
    assert found.to_dict()["candidates"][1]["mean"] == pytest.approx(found.scores[1].mean())


def test_one_standard_error_by_hand() -> None:
    results = {
        "mean_test_score": np.array([-5.0, -2.2, -2.0, -2.1]),
        "std_test_score": np.array([1.0, 0.1, 0.4, 0.1]),
        "split0_test_score": 0,
        "split1_test_score": 0,
        "split2_test_score": 0,
        "split3_test_score": 0,
    }
    assert one_standard_error(results) == 1  # 0.4 sqrt(4/3) / 2 = 0.23 reaches -2.2
    results["std_test_score"][2] = 0.3
    assert one_standard_error(results) == 2  # 0.17 does not, and -2.0 comes before -2.1
    assert one_standard_error(results, folds=1) == 1


class Memory(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Knows the labels that it was fitted on and says 0.5 of other cells."""

    def __init__(self, size: int = 1) -> None:
        self.size = size

    def fit(self, X: CellArray, y: Any) -> Memory:
        self.seen_ = dict(zip([cell.hash for cell in X], y, strict=True))
        return self

    def predict(self, X: CellArray) -> np.ndarray[Any, Any]:
        return np.array([self.seen_.get(cell.hash, 0.5) for cell in X])


def test_no_fold_is_scored_by_a_model_that_saw_it(
    data: tuple[CellArray, np.ndarray[Any, Any]],
) -> None:
    cells, y = data
    settings = TuneSettings(folds=5, repeats=2)
    found = tune(Memory(), [{"size": 1}], cells, y, settings)
    for score, (train, held_out) in zip(found.scores[0], settings.splits(80), strict=True):
        assert not set(train) & set(held_out)
        # Fitted on the held-out cells it would score 0.
        assert score == pytest.approx(np.mean((100 * (y[held_out] - 0.5)) ** 2))


def test_the_error_of_other_labels_is_in_their_own_unit(
    data: tuple[CellArray, np.ndarray[Any, Any]],
) -> None:
    cells = data[0][:4]
    settings = TuneSettings(folds=4, repeats=1)
    y = np.array([0.5, 0.5, 0.5, 7.5])  # three of four folds hold nothing but a fraction
    found = tune(Memory(), [{"size": 1}], cells, y, settings)
    assert sorted(found.scores[0]) == [0.0, 0.0, 0.0, 49.0]
    assert found.to_dict()["mse_unit"] == "label^2"
    found = tune(Memory(), [{"size": 1}], cells, y / 10, settings)
    np.testing.assert_allclose(np.sort(found.scores[0]), [625.0, 2025.0, 2025.0, 2025.0])
    assert found.to_dict()["mse_unit"] == "points^2"


class Counting(LinearPredictor):
    """Counts its fits through a file, and breaks down after some."""

    def __init__(self, alpha: float = 1.0, log: str = "", most: int = 10**6) -> None:
        super().__init__(alpha)
        self.log = log
        self.most = most

    def __repr__(self) -> str:
        return "Counting()"

    def fit(self, X: CellArray, y: Any) -> Counting:
        path = Path(self.log)
        fits = len(path.read_text()) if path.exists() else 0
        if fits >= self.most:
            raise KeyboardInterrupt
        path.write_text("x" * (fits + 1))
        super().fit(X, y)
        return self


def test_stopped_it_resumes_with_what_is_missing(
    data: tuple[CellArray, np.ndarray[Any, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, y = data
    settings = TuneSettings(folds=3, repeats=2)
    log, fits = tmp_path / "log", tmp_path / "out.fits.jsonl"
    candidates = [{"alpha": 10.0, "most": 7}, {"alpha": 1.0, "most": 7}]
    estimator = Counting(log=str(log))
    with pytest.raises(KeyboardInterrupt):
        tune(estimator, candidates, cells, y, settings, fits_file=fits)
    assert len(fits.read_text().splitlines()) == 1 + 7
    with fits.open("ab") as file:
        file.write(b'{"candidate": "{')  # cut off by a kill
    log.unlink()
    again = tune(estimator, candidates, cells, y, settings, fits_file=fits)
    assert len(log.read_text()) == 2 * 6 - 7
    fresh = tune(LinearPredictor(), [{"alpha": 10.0}, {"alpha": 1.0}], cells, y, settings)
    np.testing.assert_allclose(again.scores, fresh.scores)
    log.unlink()
    tune(estimator, candidates, cells, y, settings, fits_file=fits)
    assert not log.exists()
    with pytest.raises(SettingsError, match="other cells, labels, settings or code"):
        tune(estimator, candidates, cells, y + 0.001, settings, fits_file=fits)
    monkeypatch.setattr("inspect.getfile", lambda _: str(log))  # the predictor's code has changed
    log.write_text("class Counting: ...")
    with pytest.raises(SettingsError, match="other cells, labels, settings or code"):
        tune(estimator, candidates, cells, y, settings, fits_file=fits)


def test_numbers_of_numpy_are_those_of_python(
    data: tuple[CellArray, np.ndarray[Any, Any]], tmp_path: Path
) -> None:
    cells, y = data
    found = [
        tune(
            LinearPredictor(),
            [{"alpha": kind(1)}],
            cells,
            y,
            TuneSettings(folds=kind(3), repeats=kind(2), seed=kind(4)),
            fits_file=tmp_path / "fits.jsonl",  # one file for both
        )
        for kind in (np.int64, int)
    ]
    assert json.dumps(found[0].to_dict()) == json.dumps(found[1].to_dict())


class Diverging(LinearPredictor):
    """Diverges under weak regularisation."""

    def fit(self, X: CellArray, y: Any) -> Diverging:
        if self.alpha < 1:
            raise DivergedError("the training diverged")
        super().fit(X, y)
        return self


@pytest.mark.parametrize("metric", ["mse", "kendall_tau"])
def test_a_candidate_that_diverges_is_the_worst(
    data: tuple[CellArray, np.ndarray[Any, Any]], tmp_path: Path, metric: str
) -> None:
    cells, y = data
    settings = TuneSettings(folds=2, repeats=1, metric=metric)
    file = tmp_path / "fits.jsonl"
    for _ in range(2):  # the second time from the file
        found = tune(
            Diverging(), [{"alpha": 0.1}, {"alpha": 9.0}], cells, y, settings, fits_file=file
        )
        assert found.best == found.chosen == {"alpha": 9.0}
        described = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert described["candidates"][0]["mean"] is None
    with pytest.raises(DivergedError, match="every candidate"):
        tune(Diverging(), [{"alpha": 0.1}], cells, y, settings)


def test_processes_do_not_change_the_scores(
    data: tuple[CellArray, np.ndarray[Any, Any]],
) -> None:
    cells, y = data
    calls: list[tuple[int, int]] = []
    settings = TuneSettings(folds=2, repeats=1, metric="kendall_tau")
    one = tune(LinearPredictor(), GRID[:2], cells, y, settings)
    two = tune(
        LinearPredictor(), GRID[:2], cells, y, settings, n_jobs=2, on_fit=lambda *c: calls.append(c)
    )
    np.testing.assert_array_equal(one.scores, two.scores)
    assert calls == [(done, 4) for done in range(5)]


def test_every_repeat_has_its_own_seed(data: tuple[CellArray, np.ndarray[Any, Any]]) -> None:
    seeds: list[int] = []

    class Seeded(LinearPredictor):
        def __init__(self, alpha: float = 1.0, random_state: int | None = None) -> None:
            super().__init__(alpha)
            self.random_state = random_state

        def fit(self, X: CellArray, y: Any) -> Seeded:
            assert self.random_state is not None
            seeds.append(self.random_state)
            super().fit(X, y)
            return self

    tune(Seeded(), [{"alpha": 1.0}], *data, TuneSettings(folds=2, repeats=3, seed=10))
    assert seeds == [10, 10, 11, 11, 12, 12]


def test_constant_predictions_rank_nothing(data: tuple[CellArray, np.ndarray[Any, Any]]) -> None:
    found = tune(Memory(), [{"size": 1}], *data, TuneSettings(2, 1, 0, "kendall_tau"))
    assert (found.scores == 0.0).all()


def test_invalid_settings_are_named(data: tuple[CellArray, np.ndarray[Any, Any]]) -> None:
    with pytest.raises(SettingsError, match="no parameter beta; it has alpha"):
        tune(LinearPredictor(), [{"beta": 1}], *data)
    with pytest.raises(SettingsError, match="no candidate"):
        tune(LinearPredictor(), [], *data)
    for name, value, rule in (
        ("folds", 1, "a whole number >= 2, got 1"),
        ("folds", 2.5, "a whole number >= 2, got 2.5"),
        ("repeats", 0, "a whole number >= 1, got 0"),
        ("seed", -1, "a whole number >= 0, got -1"),
        ("metric", "r2", "mse or kendall_tau, got 'r2'"),
    ):
        with pytest.raises(SettingsError, match=f"{name} must be {rule}"):
            TuneSettings(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"y must be \[80\] .*, got \[160\]"):
        tune(LinearPredictor(), GRID, data[0], np.tile(data[1], 2))
    with pytest.raises(SettingsError, match="got 3"):
        tune(LinearPredictor(), GRID, data[0][:3], data[1][:3])


Data = tuple[CellArray, np.ndarray[Any, Any]]


class Turned(LinearPredictor):
    """Predicts in the right or in the wrong order."""

    def __init__(self, sign: int = 1, shift: float = 0.0) -> None:
        super().__init__()
        self.sign = sign
        self.shift = shift

    def predict(self, X: CellArray) -> np.ndarray[Any, Any]:
        return self.sign * super().predict(X) + self.shift


@pytest.mark.parametrize("metric", ["mse", "kendall_tau"])
def test_the_better_candidate_is_chosen(data: Data, metric: str) -> None:
    settings = TuneSettings(folds=4, repeats=1, metric=metric)
    found = tune(Turned(), [{"sign": -1}, {"sign": 1}], *data, settings)
    assert found.best == found.chosen == {"sign": 1}


def test_the_standard_error_is_that_of_the_folds(data: Data) -> None:
    found = tune(LinearPredictor(), GRID, *data, TuneSettings(folds=4, repeats=2))
    described = found.to_dict()["candidates"]
    expected = found.scores.std(axis=1, ddof=1) / 2  # four folds
    assert [c["standard_error"] for c in described] == pytest.approx(expected.tolist())


def test_fits_of_another_comparison_are_never_taken(data: Data, tmp_path: Path) -> None:
    cells, y = data
    settings, fits = TuneSettings(folds=3, repeats=1), tmp_path / "fits.jsonl"
    tune(Turned(), [{"sign": 1}], cells, y, settings, fits_file=fits)
    before = fits.read_bytes()
    other_cells = CellArray.concatenate([cells[1:], cells[:1]])
    for comparison in (
        (Turned(), cells, TuneSettings(folds=3, repeats=1, metric="kendall_tau")),
        (Turned(), cells, TuneSettings(folds=3, repeats=1, seed=1)),
        (Turned(), cells, TuneSettings(folds=4, repeats=1)),
        (Turned(shift=0.1), cells, settings),
        (Turned(), other_cells, settings),
    ):
        estimator, given, how = comparison
        with pytest.raises(SettingsError, match="other cells, labels, settings or code"):
            tune(estimator, [{"sign": 1}], given, y, how, fits_file=fits)
    assert fits.read_bytes() == before


def test_every_fit_is_on_disk_when_the_next_one_begins(
    data: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[int] = []
    fits = tmp_path / "fits.jsonl"
    monkeypatch.setattr(os, "fsync", lambda _: lines.append(fits.read_bytes().count(b"\n")))
    tune(Turned(), [{"sign": 1}], *data, TuneSettings(folds=3, repeats=1), fits_file=fits)
    assert lines == [1, 2, 3, 4]
