from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from scipy.stats import kendalltau

from pyg_nas.data.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.visualization import plots

RNG = np.random.default_rng(2)
MEASURED = RNG.uniform(0.85, 0.95, 400)
PREDICTED = MEASURED + RNG.normal(0, 0.01, 400)


def _texts(path: Path) -> list[str]:
    """The texts of an SVG: matplotlib draws them as curves and names them in comments."""
    return re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def _scatter(path: Path) -> None:
    plots.scatter(MEASURED, PREDICTED, path, title="title")


def _learning_curve(path: Path) -> None:
    plots.learning_curve([43, 86], {"paper": [[0.5, 0.6], [0.6, 0.7]]}, path, title="title")


def _pareto(path: Path) -> None:
    plots.pareto(MEASURED, np.exp(RNG.normal(14, 1, 400)), path, title="title")


def _residuals(path: Path) -> None:
    groups = {"depth": RNG.integers(2, 5, 400), "operation": np.array(["a", "b"] * 200)}
    plots.residuals(MEASURED, PREDICTED, groups, path, title="title")


FIGURES = [_scatter, _learning_curve, _pareto, _residuals]


@pytest.mark.parametrize("figure", FIGURES)
def test_each_figure_becomes_a_picture(figure: Callable[[Path], None], tmp_path: Path) -> None:
    figure(tmp_path / "figure.png")
    assert imread(tmp_path / "figure.png").std() > 0.05
    figure(tmp_path / "figure.svg")
    assert "title" in _texts(tmp_path / "figure.svg")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("figure", FIGURES)
def test_another_ending_is_refused(figure: Callable[[Path], None], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"must end in svg, png, pdf"):
        figure(tmp_path / "figure.jpg")
    assert not list(tmp_path.iterdir())


def test_the_scatter_says_what_it_shows(tmp_path: Path) -> None:
    plots.scatter(MEASURED, PREDICTED, tmp_path / "s.svg")
    texts = "\n".join(_texts(tmp_path / "s.svg"))
    high = MEASURED >= 0.9
    for part, name in ((MEASURED > 0, "all measured cells"), (high, "measured above 90 %")):
        error = np.mean((100 * MEASURED[part] - 100 * PREDICTED[part]) ** 2)
        assert f"{name}: {part.sum()}" in texts
        assert f"MSE {error:.3g} points²" in texts
        assert f"τ {kendalltau(MEASURED[part], PREDICTED[part])[0]:.3f}" in texts


def test_a_table_below_90_percent_gets_its_top_decile(tmp_path: Path) -> None:
    plots.scatter(MEASURED - 0.2, PREDICTED - 0.2, tmp_path / "s.svg")
    assert "measured in the top decile: 40" in _texts(tmp_path / "s.svg")


def test_the_best_of_costs_are_the_smallest(tmp_path: Path) -> None:
    plots.scatter(MEASURED * 40, PREDICTED * 40, tmp_path / "s.svg", larger_is_better=False)
    assert "measured in the lowest decile: 40" in _texts(tmp_path / "s.svg")
    best, _ = plots.best_end(np.arange(20.0), larger_is_better=False)
    assert np.flatnonzero(best).tolist() == [0, 1]


def test_values_that_are_no_fractions_get_no_percent(tmp_path: Path) -> None:
    plots.scatter(MEASURED * 40, PREDICTED * 40, tmp_path / "s.svg")
    plots.scatter(MEASURED, PREDICTED, tmp_path / "t.svg", fractions=False)
    for name in ("s.svg", "t.svg"):
        texts = _texts(tmp_path / name)
        assert "measured" in texts
        assert not any("%" in text or "points" in text for text in texts)


def test_cells_without_a_measurement_are_left_out(tmp_path: Path) -> None:
    measured = MEASURED.copy()
    measured[::2] = np.nan
    plots.scatter(measured, PREDICTED, tmp_path / "s.svg")
    assert "all measured cells: 200" in _texts(tmp_path / "s.svg")
    with pytest.raises(SettingsError, match="nothing to draw"):
        plots.scatter(np.full(4, np.nan), np.ones(4), tmp_path / "s.svg")


@pytest.mark.parametrize("count", [1, 2])
def test_a_handful_of_cells_is_drawn_too(tmp_path: Path, count: int) -> None:
    plots.scatter(MEASURED[:count], PREDICTED[:count], tmp_path / "s.svg")
    plots.pareto(MEASURED[:count], np.ones(count), tmp_path / "p.svg")
    plots.residuals(MEASURED[:count], PREDICTED[:count], {"g": ["a"] * count}, tmp_path / "r.svg")


@pytest.mark.filterwarnings("error")
def test_the_whole_real_sample(real_table: Table, tmp_path: Path) -> None:
    measured = real_table.label()
    plots.scatter(measured, measured * 0.9 + 0.05, tmp_path / "s.png")
    plots.pareto(measured, real_table.trainable_parameters, tmp_path / "p.png")
    assert (tmp_path / "s.png").stat().st_size > 10_000


def test_names_are_not_read_as_formulas(tmp_path: Path) -> None:
    name = r"$\frac{"
    plots.learning_curve(
        [1, 2], {name: [[1], [2]]}, tmp_path / "l.svg", score_name=name, title=name
    )
    assert name in _texts(tmp_path / "l.svg")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: plots.scatter([1, 2], [1], p), "two lists of one length"),
        (lambda p: plots.pareto([[1.0]], [[1.0]], p), "two lists of one length"),
        (lambda p: plots.learning_curve([1, 2], {"a": [1, 2]}, p), "scores of 'a'.* 2 sizes"),
        (lambda p: plots.residuals([1, 2], [1, 2], {"g": [1]}, p), "groups of 'g'"),
    ],
)
def test_shapes_are_checked(call: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message):
        call(tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def test_pyplot_is_left_alone(tmp_path: Path) -> None:
    code = (
        "import sys; from pyg_nas.visualization import plots; "
        f"plots.scatter([.1, .2, .3], [.1, .2, .2], {str(tmp_path / 's.png')!r}); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_front_is_drawn_over_every_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(plots, "_save", lambda figure, path: drawn.append(figure))
    plots.pareto([0.8, 0.9, 0.7], [1.0, 2.0, 3.0], tmp_path / "p.svg", title="made up")
    cells, front = drawn[0].axes[0].lines
    assert len(cells.get_xdata()) == 3
    assert list(front.get_ydata()) == pytest.approx([80.0, 90.0])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    figures: list[Figure] = []
    monkeypatch.setattr(plots, "_save", lambda figure, path: figures.append(figure))
    return figures


def test_measured_is_to_the_right_and_predicted_is_up(drawn: list[Figure]) -> None:
    plots.scatter([0.5, 0.6, 0.95], [0.7, 0.8, 0.9], "s.svg")
    axes = drawn[0].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("measured, %", "predicted, %")
    (dots,) = [line for line in axes.lines if line.get_marker() == "."]
    np.testing.assert_allclose(dots.get_xdata(), [50, 60, 95])
    np.testing.assert_allclose(dots.get_ydata(), [70, 80, 90])


def test_drawn_residuals_are_predicted_minus_measured(drawn: list[Figure]) -> None:
    plots.residuals([0.5, 0.6, 0.7], [0.6, 0.7, 0.8], {"depth": [1, 1, 1]}, "r.svg")
    heights = [line.get_ydata() for line in drawn[0].axes[0].lines]
    # Ten points too high: median, quartiles and whiskers alike; the line at zero beside them.
    assert {round(float(y), 6) for ys in heights for y in ys} == {0.0, 10.0}


def test_the_band_is_one_standard_deviation(drawn: list[Figure]) -> None:
    plots.learning_curve([10, 20], {"paper": [[0.4, 0.6], [0.5, 0.9]]}, "l.svg")
    axes = drawn[0].axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.5, 0.7])
    (band,) = axes.collections
    corners = {tuple(np.round(p, 6)) for p in band.get_paths()[0].vertices}
    assert corners == {(10, 0.4), (10, 0.6), (20, 0.5), (20, 0.9)}
