"""What a finished search leaves in its folder: answer, drawing, curves and a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.io.files import atomic_path, write_text
from pyg_nas.metrics.pareto import pareto_front
from pyg_nas.search.folder import ANSWER
from pyg_nas.search.loop import SearchResult
from pyg_nas.visualization.cells import draw_cell
from pyg_nas.visualization.plots import pareto, percent_or_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES, DRAWING, REPORT = "curves.svg", "answer.svg", "report.md"
FRONTS = {"parameters": "trainable parameters", "seconds": "training time, s"}


def write_report(folder: Path, result: SearchResult, settings: dict[str, Any]) -> dict[str, Any]:
    """Write ``answer.json``, ``answer.svg``, ``curves.svg``, Pareto plots and ``report.md``.

    Args:
        folder: The search's folder.
        result: What it found.
        settings: The search's settings, for the report.

    Returns:
        The content of ``answer.json``: :meth:`SearchResult.to_dict` and the Pareto fronts.
    """
    summary = result.to_dict()
    costs = costs_of(result)
    accuracy = result.history.accuracies
    summary["pareto"] = {
        name: [result.history[int(i)].cell.hash for i in pareto_front(accuracy, cost)]
        for name, cost in costs.items()
    }
    for name, cost in costs.items():
        if summary["pareto"][name]:
            title = f"{len(accuracy)} trained cells: validation accuracy"
            path = folder / f"pareto-{name}.svg"
            pareto(accuracy, cost, path, cost_name=FRONTS[name], title=title)
    if len(result.history):
        save_figure(plot_curves(result), folder / CURVES)
    if result.answer is not None:
        draw_cell(result.answer.cell, folder / DRAWING)
    write_text(folder / REPORT, report_text(result, summary, settings))
    # Last: where it is there, everything else is.
    write_text(folder / ANSWER, json.dumps(summary, indent=2) + "\n")
    return summary


def costs_of(result: SearchResult) -> dict[str, NDArray[np.float64]]:
    """Return the costs that are known for some query: parameters and training seconds, ``[Q]``."""
    counts = [query.parameters for query in result.history]
    costs = {
        "parameters": np.array([np.nan if c is None else float(c) for c in counts]),
        "seconds": result.history.seconds,
    }
    return {name: cost for name, cost in costs.items() if not np.isnan(cost).all()}


def plot_curves(result: SearchResult) -> Figure:
    """Draw accuracy (and regret, where known) of the answer against trainings and against time."""
    from matplotlib.figure import Figure

    queries = np.arange(1, len(result.history) + 1)
    axes_of = [("cells trained", queries.astype(np.float64))]
    if not np.isnan(result.history.seconds).all():
        axes_of.append(("training time, h", result.seconds / 3600))
    regret, accuracies = result.regret, result.history.accuracies
    factor, unit = percent_or_value(accuracies)
    figure = Figure(figsize=(5 * len(axes_of), 3 if regret is None else 5.5), layout="constrained")
    grid = figure.subplots(1 if regret is None else 2, len(axes_of), squeeze=False, sharex="col")
    for column, (name, x) in enumerate(axes_of):
        top = grid[0][column]
        top.plot(x, factor * accuracies, ".", color="0.7", markersize=3)
        top.step(x, factor * result.best_accuracy, where="post", color="C0")
        top.set_ylabel(f"validation accuracy{unit}")
        low, high = np.nanquantile(factor * accuracies, 0.1), np.nanmax(factor * accuracies)
        top.set_ylim(low - 1e-3, high + 0.1 * (high - low) + 1e-3)
        if regret is not None:
            below = grid[1][column]
            below.step(x, factor * regret, where="post", color="C3")
            below.set_ylabel("simple regret, points" if unit else "simple regret")
            below.set_ylim(bottom=0)
        grid[-1][column].set_xlabel(name)
    return figure


def report_text(result: SearchResult, summary: dict[str, Any], settings: dict[str, Any]) -> str:
    """Return the report in Markdown."""
    answer, reference = result.answer, result.reference
    factor, unit = percent_or_value(result.history.accuracies)
    lines = ["# Search", "", "| | |", "|---|---|"]
    rows: list[tuple[str, str]] = [("cells trained", str(len(result.history)))]
    rows.append(("training time", _time(summary)))
    if answer is None:
        rows.append(("answer", "none: no trained cell keeps the constraints"))
    else:
        outcome = answer.outcome
        rows += [
            ("answer", f"`{answer.cell.hash}`"),
            ("cell", f"`{answer.cell!r}`"),
            ("validation accuracy", value_text(result, outcome.accuracy)),
            (
                "test accuracy",
                "not measured"
                if outcome.test_accuracy is None
                else value_text(result, outcome.test_accuracy),
            ),
        ]
        if answer.parameters is not None:
            rows.append(("trainable parameters", f"{answer.parameters:,}"))
    if reference is None:
        rows.append(("simple regret", "not known: nobody has measured all cells"))
    elif summary["simple_regret"] is not None:
        rows.append(
            (
                "simple regret",
                f"{value_text(result, summary['simple_regret'], ' points')} of {reference.kind}, "
                f"against the best of all cells, {value_text(result, reference.best)} "
                f"(`{reference.hash}`)",
            )
        )
    if result.exhausted:
        rows.append(("ended early", "no cell was left to propose"))
    lines += [f"| {name} | {value} |" for name, value in rows]
    for name, hashes in summary["pareto"].items():
        lines += ["", f"## Pareto front: accuracy and {FRONTS[name]}", ""]
        lines += [f"| cell | validation accuracy{unit} | {FRONTS[name]} |", "|---|---|---|"]
        wanted = {query.cell.hash: query for query in result.history}
        for digest in hashes:
            query = wanted[digest]
            cost = query.parameters if name == "parameters" else query.outcome.seconds
            lines.append(f"| `{digest}` | {factor * query.outcome.accuracy:.2f} | {cost:,.6g} |")
    lines += ["", "## Settings", "", "```json", json.dumps(settings, indent=2), "```", ""]
    return "\n".join(lines)


def value_text(result: SearchResult, value: float, unit: str = " %") -> str:
    """Return an accuracy or a regret in percent or points, or as it is in a search for others."""
    factor, percent = percent_or_value(result.history.accuracies)
    return f"{factor * value:,.2f}{unit if percent else ''}"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's ending, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)


def _time(summary: dict[str, Any]) -> str:
    seconds = summary["training_seconds"]
    text = f"{seconds / 3600:,.2f} h" if seconds >= 3600 else f"{seconds:,.1f} s"
    unknown = summary["queries_without_time"]
    return text if not unknown else f"{text}, not counting {unknown} cells whose time is not known"
