"""``pyg-nas evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyg_nas.cli.compared import (
    Compared,
    EvaluatedBudget,
    EvaluatedMetric,
    EvaluatedRun,
    EvaluatedSplit,
    EvaluatedTable,
    ModelOrTable,
    Scores,
    TrainedOn,
    TrainedSeed,
    compare_with_table,
)
from pyg_nas.cli.console import print_line, print_table
from pyg_nas.cli.options import Device, GraphSpace, OwnRecipe, named_files
from pyg_nas.io.files import check_output, write_json
from pyg_nas.io.text import counted, decimals_format


def evaluate(
    model: ModelOrTable,
    table: EvaluatedTable = None,
    split: EvaluatedSplit = "all",
    metric: EvaluatedMetric = None,
    budget: EvaluatedBudget = None,
    run: EvaluatedRun = None,
    scores: Scores = None,
    train: TrainedOn = None,
    split_seed: TrainedSeed = 0,
    space: GraphSpace = None,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this JSON file too.")
    ] = None,
    recipe: OwnRecipe = None,
    device: Device = "auto",
) -> None:
    """Compare predictions with a table, on cells that the model was not trained on.

    With --scores the predictions come from a file:
    pyg-nas evaluate nasbench101.hdf5 --scores mine.csv --train 172

    Example: pyg-nas evaluate model nasbench101.hdf5
    """
    import numpy as np

    from pyg_nas.data.protocols.label_texts import label_sentence
    from pyg_nas.metrics.regression import mse_unit
    from pyg_nas.visualization.prediction_charts import no_correlation

    if json is not None:
        check_output(json, table, model, scores, *named_files(split, train, recipe))
    label = metric, budget, run
    compared = compare_with_table(
        model, table, split, label, scores, train, split_seed, space, recipe, device
    )
    result = compared.result
    figures = result.figures()
    print_table(
        f"{compared.name}: trained on {result.protocol.train}, evaluated on {split}",
        ("figure", "value"),
        [_shown(name, value, compared) for name, value in figures.items()],
        right=("value",),
    )
    evaluated = result.protocol.evaluation_label or result.protocol.label
    if evaluated is not None:
        print_line(f"label: {label_sentence(evaluated, compared.unit)}")
    left_out = counted(result.left_out, compared.thing)
    print_line(f"left out: {left_out} of the split that trained the model")
    if result.without_score:
        print_line(f"left out: {counted(result.without_score, 'other')} without a score")
    undefined = [_NAMES[name] for name, value in figures.items() if value != value]
    if undefined:
        print_line(f"{', '.join(undefined)} not defined: {no_correlation(result.measured)}")
    if compared.note:
        print_line(compared.note)
    median = float(np.median(result.predicted))
    if result.fractions and not 0 <= median <= 1:
        print_line(
            f"the labels are fractions, but the predictions have the median {median:.4g}: they are "
            f"in another unit, so that {_NAMES['mse']} and {_NAMES['r2']} mean nothing"
        )
    if json is not None:
        # JSON has no NaN; a figure that does not exist is null.
        plain = {k: None if v != v else v for k, v in figures.items()}
        report = {
            **plain,
            "mse_unit": mse_unit(result.fractions),
            "split": split,
            "left_out": result.left_out,
            **compared.origin,
            "protocol": result.protocol.to_dict(),
        }
        write_json(json, report)


_NAMES = {
    "mse": "MSE",
    "kendall_tau": "Kendall τ",
    "spearman": "Spearman ρ",  # noqa: RUF001
    "r2": "R²",
    "median_relative_error": "median relative error",
    "mean_relative_error": "mean relative error (MAPE)",
}


def _shown(figure: str, value: float, compared: Compared) -> tuple[str, str]:
    """Return the name of a figure with its unit, and its value, as users read them."""
    if figure == "n":
        return f"evaluated {compared.thing}s", f"{value:,}"
    if figure.endswith("_relative_error"):
        return f"{_NAMES[figure]}, %", f"{100 * value:.2f}"
    kind, of_top, number = figure.partition("_in_top_")
    if not of_top:
        unit = "points" if compared.result.fractions else compared.unit
        return _NAMES[figure] + (f", {unit}²" if figure == "mse" and unit else ""), _decimals(value)
    # Of the cells that are predicted to be best, the one that is measured best.
    name = f"{kind} of the top {number}"
    if compared.result.fractions:
        return f"{name}, {'%' if kind == 'best' else 'points'}", f"{100 * value:.2f}"
    return name + (f", {compared.unit}" if compared.unit else ""), _decimals(value)


def _decimals(value: float) -> str:
    if value != value:  # explained below the table
        return "not defined"
    return f"{value:,{decimals_format(value)}}"
