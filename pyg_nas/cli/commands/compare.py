"""``pyg-nas compare``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyg_nas.cli.console import print_line, print_table, resumable
from pyg_nas.cli.options import (
    Device,
    GraphSpace,
    Jobs,
    LearnedBudget,
    LearnedRun,
    TablePath,
    check_label,
    seed_option,
    table_label,
)
from pyg_nas.cli.progress import progress_bar, working
from pyg_nas.compute.device import check_device
from pyg_nas.io.files import check_output_folder

if TYPE_CHECKING:
    from pyg_nas.predictors.model_selection.comparison import Comparison


def compare(
    table: TablePath,
    out: Annotated[
        Path,
        typer.Option(help="Folder for the results, as CSV and LaTeX, and a figure as PDF and PNG."),
    ],
    predictors: Annotated[
        str,
        typer.Option(
            help="Predictors, separated by commas: best, fast, paper, two-stage, or your own "
            "classes as module:Class or file.py:Class."
        ),
    ] = "best,fast,paper",
    train: Annotated[
        str,
        typer.Option(help="Training cells, separated by commas: 172, 424, 91-172, ... or files."),
    ] = "100,172,424",
    draws: Annotated[
        int, typer.Option(help="Draws of the training cells, the same for all predictors.")
    ] = 5,
    seed: Annotated[int, seed_option("Random seed of the first draw.")] = 0,
    split: Annotated[str, typer.Option(help="Cells that are evaluated.")] = "all",
    metric: Annotated[
        str | None, typer.Option(help="Metric to learn: validation_accuracy by default.")
    ] = None,
    budget: LearnedBudget = None,
    run: LearnedRun = None,
    evaluation_metric: Annotated[
        str | None,
        typer.Option(
            help="Metric that predictions are compared with, such as test_accuracy; by default "
            "the one that is learned."
        ),
    ] = None,
    evaluation_run: Annotated[
        str | None,
        typer.Option(
            help="Run that predictions are compared with, 0, 1, ... or mean; by default the one "
            "that is learned."
        ),
    ] = None,
    jobs: Jobs = 1,
    space: GraphSpace = None,
    device: Device = "auto",
) -> None:
    """Compare predictors on the same draws of training cells: CSV, LaTeX, PDF and PNG.

    Training cells are left out of the evaluation, by their hash. Every finished fit is stored in
    fits.jsonl: the same command resumes a stopped one, and more predictors, training cells or
    draws can be added. If a predictor fails, it is named after the fits of all others.

    Example: pyg-nas compare nasbench101.hdf5 --predictors best,my_file.py:Mine --out comparison
    """
    from pyg_nas.data.tables.sources import open_table

    check_label(metric, budget, run)
    check_label(evaluation_metric, None, evaluation_run)
    check_device(device)
    check_output_folder(out)
    from pyg_nas.predictors.model_selection.comparison import ComparisonSettings, compare_predictors
    from pyg_nas.predictors.model_selection.comparison_files import write_comparison
    from pyg_nas.predictors.model_selection.comparison_fits import FITS

    settings = ComparisonSettings(_names(predictors), _names(train), draws, seed, split)
    opened = open_table(table, space)
    label = table_label(opened, metric, budget, run)
    if (evaluation_metric, evaluation_run) != (None, None):
        compared = table_label(opened, evaluation_metric, None, evaluation_run, default=label)
        settings = replace(settings, evaluation_label=compared)
    with resumable(out / FITS), progress_bar("fits") as advance:
        result = compare_predictors(opened, settings, label, out, device, jobs, advance)
    with working("drawing"):
        files = write_comparison(out, result)
    _print(result)
    print_line(f"{', '.join(file.name for file in files)} in {out}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _print(result: Comparison) -> None:
    from pyg_nas.predictors.model_selection.comparison_files import (
        difference_rows,
        explanation,
        summary_rows,
    )

    for title, rows in (
        ("Kendall τ on unseen cells", summary_rows(result)),
        ("Differences of Kendall τ on the same draws", difference_rows(result)),
    ):
        shown = [row for row in rows if row["figure"] == "kendall_tau"]
        if shown:
            print_table(
                title,
                ("predictor", "training cells", "mean", "95 % interval"),
                [
                    (row["predictor"], row["train"], _number(row["mean"]), _interval(row))
                    for row in shown
                ],
                right=("training cells", "mean"),
            )
    for sentence in explanation(result):
        print_line(sentence)


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def _interval(row: dict[str, float | None]) -> str:
    return "" if row["low"] is None else f"{_number(row['low'])} to {_number(row['high'])}"
