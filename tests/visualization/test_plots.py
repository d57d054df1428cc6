from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text
from scipy.stats import kendalltau

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.visualization import plots
from pyg_nas.visualization.curve_charts import comparison_chart
from pyg_nas.visualization.files import save_figure

RNG = np.random.default_rng(2)
MEASURED = RNG.uniform(0.85, 0.95, 400)
PREDICTED = MEASURED + RNG.normal(0, 0.01, 400)
HOSTILE = "$\\frac{ \x1b[31m\u202e\udcff _^"


def _texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


def _figures(name: str = "title") -> list[Figure]:
    groups = {name: RNG.integers(2, 5, 400), "operation": np.array([name, "b"] * 200)}
    curve = {name: [[0.5, 0.6], [0.6, 0.7]], "b": [[0.5, 0.6], [0.6, 0.7]]}
    return [
        plots.scatter(MEASURED, PREDICTED, title=name, note=name),
        plots.learning_curve([43, 86], curve, title=name, score_name=name),
        plots.pareto(MEASURED, np.exp(RNG.normal(14, 1, 400)), title=name, cost_name=name),
        plots.residuals(MEASURED, PREDICTED, groups, title=name),
    ]


@pytest.mark.parametrize("number", range(4))
def test_each_figure_becomes_a_picture(number: int, tmp_path: Path) -> None:
    figure = _figures()[number]
    assert "title" in _texts(figure)
    save_figure(figure, tmp_path / "figure.png")
    assert imread(tmp_path / "figure.png").std() > 0.05


def test_the_scatter_names_what_it_shows() -> None:
    texts = "\n".join(_texts(plots.scatter(MEASURED, PREDICTED)))
    high = MEASURED >= 0.9
    for part, name in (
        (MEASURED > 0, "Predicted and measured: all cells"),
        (high, "Best cells: measured above 90 %"),
    ):
        error = np.mean((100 * MEASURED[part] - 100 * PREDICTED[part]) ** 2)
        assert name in texts
        assert f"{part.sum()} cells\nMSE {error:.3g} points²" in texts
        assert f"τ {kendalltau(MEASURED[part], PREDICTED[part])[0]:.3f}" in texts


def test_values_that_are_no_fractions_get_no_percent() -> None:
    for figure in (
        plots.scatter(MEASURED * 40, PREDICTED * 40),
        plots.scatter(MEASURED, PREDICTED, fractions=False),
    ):
        texts = _texts(figure)
        assert "measured" in texts
        assert not any("%" in text or "points" in text for text in texts)


@pytest.mark.parametrize("count", [1, 2])
def test_a_handful_of_cells_is_drawn_too(tmp_path: Path, count: int) -> None:
    measured, predicted = MEASURED[:count], PREDICTED[:count]
    save_figure(plots.scatter(measured, predicted), tmp_path / "s.svg")
    save_figure(plots.pareto(measured, np.ones(count)), tmp_path / "p.svg")
    save_figure(plots.residuals(measured, predicted, {"g": ["a"] * count}), tmp_path / "r.svg")


@pytest.mark.filterwarnings("error")
def test_the_whole_real_sample(real_table: Table, tmp_path: Path) -> None:
    measured = real_table.label()
    save_figure(plots.scatter(measured, measured * 0.9 + 0.05), tmp_path / "s.png")
    save_figure(plots.pareto(measured, real_table.trainable_parameters), tmp_path / "p.png")
    assert (tmp_path / "s.png").stat().st_size > 10_000


@pytest.mark.parametrize("number", range(4))
def test_names_are_text_and_no_formulas(number: int, tmp_path: Path) -> None:
    figure = _figures(HOSTILE)[number]
    save_figure(figure, tmp_path / "figure.svg")
    (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert any("$\\frac{ \\x1b[31m\\u202e\\udcff" in text for text in _texts(figure))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.scatter([1, 2], [1]), "two lists of one length"),
        (lambda: plots.scatter([np.nan], [1]), "nothing to draw"),
        (lambda: plots.pareto([[1.0]], [[1.0]]), "two lists of one length"),
        (lambda: plots.learning_curve([1, 2], {"a": [1, 2]}), "scores of 'a'.* 2 sizes"),
        (lambda: plots.residuals([1, 2], [1, 2], {"g": [1]}), "groups of 'g'"),
    ],
)
def test_shapes_are_checked(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        call()


def test_pyplot_is_left_alone() -> None:
    code = (
        "import sys; from pyg_nas.visualization import plots; "
        "plots.scatter([.1, .2, .3], [.1, .2, .2]); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_front_is_drawn_over_every_other_cell() -> None:
    figure = plots.pareto([0.8, 0.9, 0.7], [1.0, 2.0, 3.0], title="made up")
    cells, front = figure.axes[0].lines
    assert list(cells.get_xdata()) == [3.0]
    assert list(front.get_ydata()) == pytest.approx([80.0, 90.0])


def test_measured_is_to_the_right_and_predicted_is_up() -> None:
    axes = plots.scatter([0.5, 0.6, 0.95], [0.7, 0.8, 0.9]).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("measured, %", "predicted, %")
    (dots,) = [line for line in axes.lines if line.get_marker() == "."]
    np.testing.assert_allclose(dots.get_xdata(), [50, 60, 95])
    np.testing.assert_allclose(dots.get_ydata(), [70, 80, 90])


def test_drawn_residuals_are_predicted_minus_measured() -> None:
    figure = plots.residuals([0.5, 0.6, 0.7], [0.6, 0.7, 0.8], {"depth": [1, 1, 1]})
    heights = [line.get_ydata() for line in figure.axes[0].lines]
    # Ten points too high: median, quartiles and whiskers alike; the line at zero beside them.
    assert {round(float(y), 6) for ys in heights for y in ys} == {0.0, 10.0}


def test_the_band_is_one_standard_deviation() -> None:
    axes = plots.learning_curve([10, 20], {"paper": [[0.4, 0.6], [0.5, 0.9]]}).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.5, 0.7])
    (band,) = axes.collections
    corners = {tuple(np.round(p, 6)) for p in band.get_paths()[0].vertices}
    assert corners == {(10, 0.4), (10, 0.6), (20, 0.5), (20, 0.9)}


def test_figures_for_papers_have_one_column_and_small_print(tmp_path: Path) -> None:
    chart = comparison_chart([43, 86], {HOSTILE: [[0.5, 0.6], [0.6, 0.7]], "b": [[0.1] * 2] * 2})
    figure = plots.draw_for_paper([chart], note="A substitute label. " * 5)
    save_figure(figure, tmp_path / "figure.pdf")
    assert figure.get_figwidth() == 3.3
    shown = [text for text in figure.findobj(Text) if text.get_text()]
    assert {text.get_fontsize() for text in shown} == {8}
    assert chart.title in _texts(figure)
    content = (tmp_path / "figure.pdf").read_bytes()
    assert b"/FontFile2" in content  # TrueType, embedded
    assert b"/Type3" not in content


def test_legends_for_papers_cover_no_band() -> None:
    scores = {f"predictor {k}": [[0.1 * k, 0.1 * k + 0.3], [0.2 * k, 0.9]] for k in range(5)}
    figure = plots.draw_for_paper([comparison_chart([43, 86], scores)], note="A note.")
    figure.canvas.draw()
    (axes,) = figure.axes
    legend = axes.get_legend()
    assert legend is not None
    place = legend.get_window_extent()
    assert [text.get_text() for text in legend.get_texts()] == list(scores)
    for other in (axes.get_window_extent(), axes.xaxis.label.get_window_extent()):
        assert place.y1 <= other.y0
    assert figure._supxlabel.get_window_extent().y1 <= place.y0
    assert figure.bbox.x0 <= place.x0
    assert place.x1 <= figure.bbox.x1


def test_ticks_of_logarithmic_axes_are_short_and_plain() -> None:
    cost = np.array([0.2, 1.0, 2e4, 5e6])
    figure = plots.pareto(np.linspace(0.5, 0.9, 4), cost, cost_name="seconds")
    figure.canvas.draw()
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert {"0.1", "1", "10k", "1M"} <= set(shown)
