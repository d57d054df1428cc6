"""``pyg-nas compare`` and ``compare-searches``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyg_nas.cli.console import bold, print_line, print_table, resumable
from pyg_nas.cli.options import (
    Device,
    GraphSpace,
    Jobs,
    LearnedBudget,
    LearnedRun,
    TablePath,
    check_label,
    chosen_label,
    seed_option,
)
from pyg_nas.cli.progress import progress_bar, working
from pyg_nas.compute.device import check_device
from pyg_nas.io.files import check_output_folder
from pyg_nas.io.text import counted

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
    check_device(device)
    check_output_folder(out)
    from pyg_nas.predictors.model_selection.comparison import ComparisonSettings, compare_predictors
    from pyg_nas.predictors.model_selection.comparison_files import write_comparison
    from pyg_nas.predictors.model_selection.comparison_fits import FITS

    settings = ComparisonSettings(_names(predictors), _names(train), draws, seed, split)
    opened = open_table(table, space)
    label = chosen_label(opened.default_label, metric, budget, run)
    with resumable(out / FITS), progress_bar("fits") as advance:
        result = compare_predictors(opened, settings, label, out, device, jobs, advance)
    with working("drawing"):
        files = write_comparison(out, result)
    _print(result)
    print_line(f"{', '.join(file.name for file in files)} in {out}")


def compare_searches(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER", help="Folders of `pyg-nas search`, also with --seeds, or 'runs/*'."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    by: Annotated[str, typer.Option(help="By runs (trained cells) or time.")] = "runs",
) -> None:
    """Compare searches of one table by their regret: CSV, LaTeX, PDF and PNG.

    Searches with equal method and settings and different random seeds become one curve: the
    median, with a band between the quartiles.

    Example: pyg-nas compare-searches runs/* --out comparison
    """
    from pyg_nas.report.text import duration
    from pyg_nas.search import comparison

    check_output_folder(out)
    folders = [
        folder for pattern in runs for found in _matching(pattern) for folder in _searches(found)
    ]
    with working("reading and drawing"):
        curves = comparison.compare_searches(folders, by)
        files = comparison.write_search_comparison(out, curves, by)
    caption, columns, rows = comparison.summary(curves, by)
    for curve, (_, _, _, regret, *_) in zip(curves, rows, strict=True):
        end, longest = (
            f"{last:,.0f} trained {curve.thing}s" if by == "runs" else duration(last)
            for last in (float(curve.x[-1]), curve.longest)
        )
        others = f", where the shortest ends; the longest has {longest}" if longest != end else ""
        print_line(
            f"{curve.name}: {counted(curve.searches, 'search', 'searches')}, to {end}{others}; "
            f"regret ",
            bold(regret),
        )
    for row in rows:
        for column, regret in zip(columns[4:], row[4:], strict=True):
            print_line(f"{row[0]}, {column}: regret ", bold(regret))
    print_line(caption)
    print_line(f"{', '.join(files)} in {out}")


def _matching(pattern: Path) -> list[Path]:
    """Return the folder, or those that match where a shell has left the pattern as it is."""
    if pattern.exists():
        return [pattern]
    start = Path(pattern.anchor)
    try:
        found = [path for path in start.glob(str(pattern.relative_to(start))) if path.is_dir()]
    except ValueError:  # of a pattern such as runs** before Python 3.13
        found = []
    return sorted(found) or [pattern]


def _searches(folder: Path) -> list[Path]:
    """Return the folder, or those in it of a search with several seeds."""
    from pyg_nas.report.seed_summary import SEEDS

    return sorted(folder.glob("seed-*")) if (folder / SEEDS).is_file() else [folder]


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
