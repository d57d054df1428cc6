"""Comparisons of predictors: the same draws for all, every fit on disk, no other labels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from pyg_nas.data.protocols.labels import PAPER_LABEL, LabelPolicy
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.predictors.model_selection.comparison import (
    Comparison,
    ComparisonSettings,
    compare_predictors,
)
from pyg_nas.predictors.model_selection.comparison_fits import FITS

SOURCE = '''
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class Size(RegressorMixin, BaseEstimator):
    """Predicts the mean label and a little more for large networks."""

    def fit(self, X, y):
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X):
        return self.mean_ + 0.01 * np.log10(X.trainable_parameters())


class Mean(Size):
    def predict(self, X):
        return np.full(len(X), self.mean_)


class Broken(Size):
    def fit(self, X, y):
        raise ZeroDivisionError("no such thing")


class Wide(Size):
    def predict(self, X):
        return np.zeros((len(X), 2))


class Stopping(Size):
    def fit(self, X, y):
        if len(y) == 40:
            raise KeyboardInterrupt
        return super().fit(X, y)
'''


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "compared_predictors.py"
    path.write_text(SOURCE)
    return path


def settings_of(source: Path, *classes: str, **given: object) -> ComparisonSettings:
    names = tuple(f"{source}:{name}" for name in classes)
    values: dict[str, object] = {"train": ("20", "40"), "draws": 3, **given}
    return ComparisonSettings(names, **values)  # type: ignore[arg-type]


def figures(comparison: Comparison) -> list[tuple[object, ...]]:
    return [(fit.key, fit.training_cells, fit.figures) for fit in comparison.fits]


def test_figures_are_those_of_unseen_cells(source: Path, small_table: Table) -> None:
    found = compare_predictors(small_table, settings_of(source, "Size", seed=4))
    labels = small_table.label(PAPER_LABEL)
    size = np.log10(small_table.trainable_parameters)
    assert len(found.fits) == 6
    for fit in found.fits:
        order = np.random.RandomState(4 + fit.draw).permutation(300)
        train = order[: int(fit.train)]
        unseen = np.setdiff1d(np.arange(300), train)
        predicted = labels[train].mean() + 0.01 * size[unseen]
        assert fit.training_cells == int(fit.train)
        assert fit.evaluated_cells == len(unseen)
        tau = kendalltau(labels[unseen], predicted)[0]
        assert fit.figures["kendall_tau"] == pytest.approx(tau, abs=1e-12)
        error = np.mean((100 * (labels[unseen] - predicted)) ** 2)
        assert fit.figures["mse"] == pytest.approx(error)


def test_predictions_are_compared_with_another_label(
    source: Path, small_table: Table, tmp_path: Path
) -> None:
    """The published protocols: validation accuracy of one run, against the mean test accuracy."""
    tested = LabelPolicy("test_accuracy", run="mean")
    settings = settings_of(source, "Size", train=("40",), evaluation_label=tested)
    found = compare_predictors(small_table, settings, folder=tmp_path)
    measured, learned = small_table.label(tested), small_table.label(PAPER_LABEL)
    size = np.log10(small_table.trainable_parameters)
    assert len(found.fits) == 3
    for fit in found.fits:
        order = np.random.RandomState(fit.draw).permutation(300)
        unseen = np.setdiff1d(np.arange(300), order[:40])
        predicted = learned[order[:40]].mean() + 0.01 * size[unseen]
        tau = kendalltau(measured[unseen], predicted)[0]
        assert fit.figures["kendall_tau"] == pytest.approx(tau, abs=1e-12)
        error = np.mean((100 * (measured[unseen] - predicted)) ** 2)
        assert fit.figures["mse"] == pytest.approx(error)
    compare_predictors(small_table, settings, folder=tmp_path)  # resumes
    with pytest.raises(SettingsError, match="was made with evaluation_label"):
        compare_predictors(small_table, replace(settings, evaluation_label=None), folder=tmp_path)
    cost = replace(settings, evaluation_label=LabelPolicy("training_time"))
    with pytest.raises(SettingsError, match=r"larger is better\) cannot be .* \(smaller is bet"):
        compare_predictors(small_table, cost, folder=tmp_path / "cost")
    assert not (tmp_path / "cost").exists()
    same = replace(settings, evaluation_label=small_table.default_label)
    plain = compare_predictors(small_table, same, folder=tmp_path / "same")
    assert plain.protocol.evaluation_label is None


def test_every_predictor_has_the_same_draws(source: Path, small_table: Table) -> None:
    found = compare_predictors(small_table, settings_of(source, "Size", "Mean"))
    size, mean = (
        [fit.figures["n"] for fit in found.fits if fit.predictor.endswith(name)]
        for name in (":Size", ":Mean")
    )
    assert size == mean
    assert [found.shown_name(name) for name in found.settings.predictors] == ["Size", "Mean"]


def test_draws_of_equal_cells_are_named(source: Path, small_table: Table, tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(list(range(30))))
    settings = settings_of(source, "Size", train=("20", str(rows)))
    (note,) = compare_predictors(small_table, settings).notes
    assert note == (
        f"All draws of split {rows} have the same training cells: they differ in the random seed "
        f"of the fit alone."
    )
    once = settings_of(source, "Size", train=("20", str(rows)), draws=1)
    assert not compare_predictors(small_table, once).notes


def test_a_stopped_comparison_resumes(source: Path, small_table: Table, tmp_path: Path) -> None:
    settings = settings_of(source, "Size", "Stopping")
    with pytest.raises(KeyboardInterrupt):
        compare_predictors(small_table, settings, folder=tmp_path)
    written = (tmp_path / FITS).read_text().splitlines()
    assert 1 < len(written) < 12
    with (tmp_path / FITS).open("a") as file:
        file.write('{"predictor": "torn')  # killed while it wrote
    calls: list[int] = []
    more = replace(settings, predictors=settings.predictors[:1], train=("20", "40", "60"))
    found = compare_predictors(
        small_table, more, folder=tmp_path, progress=lambda done, total, text: calls.append(done)
    )
    stored = sum("Size" in line for line in written)
    assert calls[0] == stored
    assert calls[-1] == 9
    assert figures(found) == figures(compare_predictors(small_table, more))
    assert [json.loads(line) for line in (tmp_path / FITS).read_text().splitlines()]


def test_processes_give_the_same_figures(source: Path, small_table: Table, tmp_path: Path) -> None:
    settings = settings_of(source, "Size", "Mean", draws=2)
    found = compare_predictors(small_table, settings, folder=tmp_path, n_jobs=2)
    alone = compare_predictors(small_table, settings)
    assert repr(figures(found)) == repr(figures(alone))


def test_changed_settings_are_refused(source: Path, small_table: Table, tmp_path: Path) -> None:
    settings = settings_of(source, "Size")
    compare_predictors(small_table, settings, folder=tmp_path)
    mean = replace(PAPER_LABEL, run="mean")
    before = (tmp_path / FITS).read_bytes()
    for message, table, changed, label in (
        ("seed = 0, 1 was requested", small_table, replace(settings, seed=1), None),
        ("label.run = 0, 'mean' was requested", small_table, settings, mean),
        ("evaluate = 'all'", small_table, replace(settings, evaluate="200"), None),
        ("cells = 300, 299 was requested", small_table[:299], settings, None),
    ):
        with pytest.raises(SettingsError, match=message):
            compare_predictors(table, changed, label, folder=tmp_path)
    assert (tmp_path / FITS).read_bytes() == before


def test_another_version_of_a_predictor_is_refused(
    small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "changing_predictor.py"
    path.write_text(SOURCE)
    settings = settings_of(path, "Size")
    compare_predictors(small_table, settings, folder=tmp_path / "out")
    path.write_text(SOURCE.replace("0.01", "0.02"))
    with pytest.raises(SettingsError, match="another version of the predictor"):
        compare_predictors(small_table, settings, folder=tmp_path / "out")


def test_undefined_figures_are_explained(source: Path, small_table: Table, tmp_path: Path) -> None:
    for _ in range(2):  # computed, and read from the file
        found = compare_predictors(small_table, settings_of(source, "Mean"), folder=tmp_path)
        assert found.problems == [
            "Mean, splits 20 and 40, 3 of 3 draws each: correlations are not defined, all "
            "predictions are equal."
        ]


def test_failing_predictors_are_named(source: Path, small_table: Table) -> None:
    for name, message in (
        ("Broken", "Broken, split 20, draw 0: ZeroDivisionError: no such thing"),
        ("Wide", r"for each of 300 architectures, got an array of shape \[300, 2\]"),
    ):
        with pytest.raises(SettingsError, match=message):
            compare_predictors(small_table, settings_of(source, name))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_failing_predictor_stops_no_other(
    source: Path,
    small_table: Table,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    n_jobs: int,
) -> None:
    settings = settings_of(source, "Broken", "Mean", "Wide")
    message = r"Broken, split .*: ZeroDivisionError: no such thing; .*Wide, split .*\[300, 2\]"
    if n_jobs > 1:
        message = f"{message}|Wide, split .*; .*Broken, split .*"
    with pytest.raises(SettingsError, match=message) as raised:
        compare_predictors(small_table, settings, folder=tmp_path, n_jobs=n_jobs)
    assert str(raised.value).count("predictor ") == len(caplog.messages) == 2
    assert str(raised.value).endswith("; the other fits are kept for the next run")
    _, *stored = map(json.loads, (tmp_path / FITS).read_text().splitlines())
    found = {(fit["predictor"], fit["train"], fit["draw"]) for fit in stored}
    assert found == {(settings.predictors[1], train, i) for train in ("20", "40") for i in range(3)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"predictors": ()}, "predictors must be names"),
        ({"predictors": ("fast", "")}, "predictors must be names"),
        ({"predictors": ("fast", "fast")}, "'fast' is named twice"),
        ({"predictors": ("nothing",)}, "recipe 'nothing' must be one of"),
        ({"train": ("1x",)}, "split '1x'"),
        ({"draws": 0}, "draws must be at least 1 and at most 10,000, got 0"),
    ],
)
def test_settings_outside_their_rules(given: dict[str, object], message: str) -> None:
    values: dict[str, object] = {"predictors": ("fast",), "train": ("20",), **given}
    with pytest.raises(SettingsError, match=message):
        ComparisonSettings(**values)  # type: ignore[arg-type]


def test_impossible_splits_are_refused_before_any_fit(source: Path, small_table: Table) -> None:
    for train, message in (("400", "1 to 300"), ("300", "no cell of the split 'all' is left")):
        with pytest.raises(SettingsError, match=message):
            compare_predictors(small_table, settings_of(source, "Broken", train=("20", train)))
