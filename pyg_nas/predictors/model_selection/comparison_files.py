"""Files of a comparison of predictors: CSV, LaTeX and figures for a paper."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.io.files import write_text
from pyg_nas.io.formats.csv_rows import write_csv
from pyg_nas.io.formats.latex import latex_table
from pyg_nas.io.text import counted, printable
from pyg_nas.metrics.intervals import Interval, mean_interval
from pyg_nas.predictors.model_selection.comparison import Comparison
from pyg_nas.visualization.charts import Chart
from pyg_nas.visualization.curve_charts import comparison_chart
from pyg_nas.visualization.files import save_figure
from pyg_nas.visualization.plots import draw_for_paper

CSV, DIFFERENCES, LATEX = "comparison.csv", "differences.csv", "comparison.tex"
PICTURES = ("comparison.pdf", "comparison.png")

Row = dict[str, Any]


def write_comparison(folder: str | os.PathLike[str], comparison: Comparison) -> list[Path]:
    """Write ``comparison.csv``, ``differences.csv``, ``comparison.tex``, ``.pdf`` and ``.png``.

    Returns:
        The files.
    """
    folder = Path(folder)
    summary = summary_rows(comparison)
    write_csv(folder / CSV, summary[0], _shown(summary))
    names = [CSV]
    differences = difference_rows(comparison)
    if differences:
        write_csv(folder / DIFFERENCES, differences[0], _shown(differences))
        names.append(DIFFERENCES)
    write_text(folder / LATEX, latex_text(comparison))
    figure = draw_for_paper([curves(comparison)], note=" ".join(figure_note(comparison)))
    for name in PICTURES:
        save_figure(figure, folder / name)
    return [folder / name for name in (*names, LATEX, *PICTURES)]


def summary_rows(comparison: Comparison) -> list[Row]:
    """Return one row for each predictor, split of training cells and figure.

    ``mean``, ``low`` and ``high`` are the mean over the draws and its 95 % interval by Student's t;
    they are empty if a draw lacks the metric; the ends are also empty with one draw.
    """
    settings = comparison.settings
    return [
        {
            **_place(comparison, predictor, train),
            "figure": figure,
            **_ends(_interval(values), float(values.mean())),
        }
        for predictor in settings.predictors
        for train in settings.train
        for figure in _figures(comparison)
        for values in [comparison.values(predictor, train, figure)]
    ]


def difference_rows(comparison: Comparison) -> list[Row]:
    """Return the paired differences of all pairs of predictors; none where there is one draw."""
    settings = comparison.settings
    if settings.draws < 2:
        return []
    rows = []
    for one, two in combinations(settings.predictors, 2):
        for train in settings.train:
            for figure in _figures(comparison):
                first = comparison.values(one, train, figure)
                found = _interval(first - comparison.values(two, train, figure))
                place = _place(comparison, f"{one} - {two}", train)
                differs = None if found is None else found.claims
                rows.append({**place, "figure": figure, **_ends(found, np.nan), "differs": differs})
    return rows


def curves(comparison: Comparison) -> Chart:
    """Return Kendall's τ of all predictors by the number of training cells."""
    settings = comparison.settings
    return comparison_chart(
        [comparison.training_cells(train) for train in settings.train],
        {
            comparison.shown_name(predictor): np.array(
                [comparison.values(predictor, train, "kendall_tau") for train in settings.train]
            )
            for predictor in settings.predictors
        },
    )


def explanation(comparison: Comparison) -> list[str]:
    """Return the explanation under every figure and table."""
    settings, label = comparison.settings, comparison.protocol.label
    compared = comparison.protocol.evaluation_label
    low = min(fit.evaluated_cells for fit in comparison.fits)
    high = max(fit.evaluated_cells for fit in comparison.fits)
    evaluated = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    last = settings.seed + settings.draws - 1
    seeds = f"random seed {last}" if settings.draws == 1 else f"random seeds {settings.seed}-{last}"
    spread = "95 % intervals by Student's t" if settings.draws > 1 else "one draw has no interval"
    return [
        f"Mean of {counted(settings.draws, 'draw')} of training cells ({seeds}); {spread}.",
        f"Label: {label}.",
        *([] if compared is None else [f"Predictions are compared with: {compared}."]),
        f"Evaluated on {evaluated} other cells of {comparison.space} (split {settings.evaluate}).",
        "Predictors are given the labels of the training cells and no others.",
        *comparison.notes,
        *comparison.problems,
    ]


def figure_note(comparison: Comparison) -> list[str]:
    """Return the note inside the figure."""
    settings = comparison.settings
    spread = f"Mean of {counted(settings.draws, 'draw')} with 95 % interval."
    if len(settings.train) == 1:
        spread = f"Dots: {counted(settings.draws, 'draw')}. Beside them: mean with 95 % interval."
    return [
        spread if settings.draws > 1 else "One draw of training cells.",
        *comparison.notes,
        *comparison.problems,
    ]


def latex_text(comparison: Comparison) -> str:
    """Return a table of Kendall's τ and the error, and one of the paired differences of τ."""
    settings = comparison.settings
    columns = [f"{_name(comparison, train)} cells" for train in settings.train]
    unit = ", in points²" if comparison.fractions else ""
    parts = []
    for figure, name in (("kendall_tau", "Kendall τ"), ("mse", "Mean squared error")):
        rows = []
        for predictor in settings.predictors:
            values = [comparison.values(predictor, train, figure) for train in settings.train]
            rows.append([comparison.shown_name(predictor), *map(_mean_and_half, values)])
        shown = f"{name} on unseen architectures{unit if figure == 'mse' else ''}."
        caption = " ".join([shown, *explanation(comparison)])
        table_label = f"tab:comparison-{figure.replace('_', '-')}"
        parts.append(latex_table(["predictor", *columns], rows, caption, table_label))
    if settings.draws > 1 and len(settings.predictors) > 1:
        rows = [
            [
                f"{comparison.shown_name(one)} − {comparison.shown_name(two)}",
                *(
                    _ends_text(
                        _interval(
                            comparison.values(one, train, "kendall_tau")
                            - comparison.values(two, train, "kendall_tau")
                        )
                    )
                    for train in settings.train
                ),
            ]
            for one, two in combinations(settings.predictors, 2)
        ]
        caption = (
            f"Differences of Kendall τ on the same {counted(settings.draws, 'draw')} of training "
            f"cells: mean and 95 % interval by Student's t, not corrected for the number of pairs."
        )
        parts.append(latex_table(["predictors", *columns], rows, caption, "tab:differences"))
    return "% needs \\usepackage{booktabs}\n" + "\n".join(parts)


def _figures(comparison: Comparison) -> list[str]:
    """The figures that some fit has, in their usual order."""
    names: dict[str, None] = {}
    for fit in comparison.fits:
        names.update(dict.fromkeys(name for name in fit.figures if name != "n"))
    return list(names)


def _place(comparison: Comparison, predictor: str, train: str) -> Row:
    """The columns that identify the protocol of a row."""
    settings = comparison.settings
    fits = [fit for fit in comparison.fits if fit.train == train]
    compared = comparison.protocol.evaluation_label
    return {
        "predictor": predictor,
        "train": train,
        "training_cells": round(comparison.training_cells(train), 1),
        "labels_used": round(comparison.labels_used(train), 1),
        "evaluate": settings.evaluate,
        "evaluated_cells": round(float(np.mean([fit.evaluated_cells for fit in fits])), 1),
        "label": str(comparison.protocol.label),
        **({} if compared is None else {"evaluation_label": str(compared)}),
        "draws": settings.draws,
        "first_seed": settings.seed,
    }


def _name(comparison: Comparison, train: str) -> str:
    return train if len(train) <= 12 else f"{comparison.training_cells(train):,.0f}"


def _interval(values: NDArray[np.float64]) -> Interval | None:
    return mean_interval(values) if len(values) > 1 and np.isfinite(values).all() else None


def _ends(interval: Interval | None, mean: float) -> Row:
    if interval is None:
        return {"mean": None if np.isnan(mean) else mean, "low": None, "high": None}
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def _mean_and_half(values: NDArray[np.float64]) -> str:
    if not np.isfinite(values).all():
        return "not defined"
    interval = _interval(values)
    if interval is None:
        return _three(values.mean())
    return f"{_three(interval.mean)} ± {interval.high - interval.mean:.3f}"


def _three(value: float) -> str:
    """Three digits with a mathematical minus sign, and zero without a sign."""
    return f"{round(float(value), 3) + 0.0:.3f}".replace("-", "−")


def _ends_text(interval: Interval | None) -> str:
    if interval is None:
        return "not defined"
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]".replace("-", "−")


def _shown(rows: Sequence[Row]) -> Iterator[list[Any]]:
    for row in rows:
        yield [
            "" if v is None else f"{v:.9g}" if isinstance(v, float) else printable(v)
            for v in row.values()
        ]
